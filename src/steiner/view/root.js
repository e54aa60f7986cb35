// The server's root as an absolute address, before the page's own changes; "" in a page that was saved.

const { root } = document.documentElement.dataset;

export const ROOT = root ? new URL(root, document.baseURI).href : "";
