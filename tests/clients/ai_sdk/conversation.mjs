// The Vercel AI SDK: three turns with a tool. Arguments: the model's kind, and how to ask, as JSON.
// The last line says the arguments of each call, the text of each turn, and what the SDK warned of.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const [kind, asked] = [process.argv[2], JSON.parse(process.argv[3])];
const settings = { baseURL: asked.url, apiKey: "none" };
const models = {
  responses: () => createOpenAI(settings).responses(asked.model),
  chat: () => createOpenAI(settings).chat(asked.model),
  compatible: () => createOpenAICompatible({ ...settings, name: "steiner", includeUsage: true })(asked.model),
};
const calls = [];
const warned = [];
globalThis.AI_SDK_LOG_WARNINGS = ({ warnings }) => warned.push(...warnings);
const options = {
  model: models[kind](),
  maxRetries: 0,
  maxOutputTokens: asked.max_tokens,
  stopWhen: stepCountIs(5),
  tools: {
    get_weather: tool({
      description: "Weather of a city.",
      inputSchema: z.object({ city: z.string().max(8) }),
      execute: async (input) => {
        calls.push(input);
        return "20 degrees";
      },
    }),
  },
  // Of a model whose name the SDK does not know, it has to be told that it reasons.
  providerOptions: { openai: kind === "responses" ? { store: asked.store, forceReasoning: true } : {} },
  prepareStep: ({ stepNumber, messages }) => ({
    toolChoice: asked.tool_choice === "auto" ? "auto" : messages.length === 1 && stepNumber === 0 ? "required" : "none",
  }),
};

const messages = [];
const texts = [];
for (const question of asked.questions) {
  messages.push({ role: "user", content: question });
  const result = asked.stream
    ? streamText({ ...options, messages, onError: ({ error }) => { throw error; } })
    : await generateText({ ...options, messages });
  texts.push(await result.text);
  messages.push(...(await result.response).messages);
}
console.log(JSON.stringify({ calls, texts, warned }));
