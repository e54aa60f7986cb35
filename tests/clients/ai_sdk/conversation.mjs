// The Vercel AI SDK: three turns with a tool, for each way of asking that the first argument lists.
// The last line says what came of each: the arguments of each call, the text of each turn, what the SDK warned of.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const QUESTIONS = ["Is it warm in Oslo?", "make 22 from 15 4 11", "make 4 from 15 4 11"];

function modelOf({ variant, url, model }) {
  const settings = { baseURL: url, apiKey: "none" };
  switch (variant) {
    case "responses":
      return createOpenAI(settings).responses(model);
    case "chat":
      return createOpenAI(settings).chat(model);
    default:
      return createOpenAICompatible({ ...settings, name: "steiner", includeUsage: true })(model);
  }
}

function toolChoice(ask, stepNumber, messages) {
  if (ask.tool_choice === "auto") return "auto";
  return stepNumber === 0 && messages.length === 1 ? ask.tool_choice : "none";
}

async function hold(ask) {
  const told = { calls: [], texts: [], warned: [] };
  globalThis.AI_SDK_LOG_WARNINGS = ({ warnings }) => told.warned.push(...warnings);
  const options = {
    model: modelOf(ask),
    maxRetries: 0,
    maxOutputTokens: ask.max_tokens,
    stopWhen: stepCountIs(5),
    tools: {
      get_weather: tool({
        description: "Weather of a city.",
        inputSchema: z.object({ city: z.string().max(8) }),
        execute: async (input) => {
          told.calls.push(input);
          return "20 degrees";
        },
      }),
    },
    prepareStep: ({ stepNumber, messages }) => ({ toolChoice: toolChoice(ask, stepNumber, messages) }),
  };
  if (ask.variant === "responses") {
    // What it knows of models goes by their names: that this one reasons, it has to be told.
    options.providerOptions = { openai: { store: ask.store, forceReasoning: true, ...ask.options } };
  }
  const messages = [];
  for (const question of QUESTIONS) {
    messages.push({ role: "user", content: question });
    const result = ask.stream ? streamText({ ...options, messages }) : await generateText({ ...options, messages });
    told.texts.push(await result.text);
    messages.push(...(await result.response).messages);
  }
  return told;
}

const results = [];
for (const ask of JSON.parse(process.argv[2])) results.push(await hold(ask));
console.log(JSON.stringify(results));
