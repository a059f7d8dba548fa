// The official Node library at work, as its user would write it; openai_python.py does the same in Python.
// A job as JSON on stdin, what its user sees as JSON on stdout.

import OpenAI, { APIError } from "openai";

const WEATHER = {
  type: "function",
  function: {
    name: "weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const CITY = {
  type: "json_schema",
  json_schema: {
    name: "City",
    strict: true,
    schema: {
      type: "object",
      properties: { name: { type: "string" }, people: { type: "integer" } },
      required: ["name", "people"],
      additionalProperties: false,
    },
  },
};
const messages = [{ role: "user", content: "Hello" }];

const seen = (error) => ({
  class: error.constructor.name,
  status: error.status ?? null,
  code: error.code ?? null,
});

const calls = (choice) => ({
  calls: (choice.message.tool_calls ?? []).map((call) => ({ id: call.id, ...call.function })),
  finish: choice.finish_reason,
});

const operations = {
  async chat(client, { model }) {
    const answer = await client.chat.completions.create({ model, messages });
    const [choice] = answer.choices;
    return { text: choice.message.content, finish: choice.finish_reason, tokens: answer.usage.total_tokens };
  },

  async stream(client, { model }) {
    const outcome = { text: "", finish: null };
    let chunks = 0;
    try {
      for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
        chunks += 1;
        for (const choice of chunk.choices) {
          outcome.text += choice.delta.content ?? "";
          outcome.finish = choice.finish_reason ?? outcome.finish;
        }
      }
    } catch (error) {
      if (!(error instanceof APIError)) throw error;
      return { ...outcome, error: seen(error) };
    }
    return { ...outcome, chunks };
  },

  async stream_usage(client, { model }) {
    const totals = [];
    const body = { model, messages, stream: true, stream_options: { include_usage: true } };
    for await (const chunk of await client.chat.completions.create(body)) {
      if (chunk.usage) totals.push(chunk.usage.total_tokens);
    }
    return { totals };
  },

  async tools(client, { model }) {
    const answer = await client.chat.completions.create({ model, messages, tools: [WEATHER] });
    return calls(answer.choices[0]);
  },

  async stream_tools(client, { model }) {
    const final = await client.chat.completions.stream({ model, messages, tools: [WEATHER] }).finalChatCompletion();
    const { calls: made, finish } = calls(final.choices[0]);
    return { calls: made.map(({ id, name, arguments: text }) => ({ id, name, arguments: text })), finish };
  },

  async structured(client, { model }) {
    const answer = await client.chat.completions.parse({ model, messages, response_format: CITY });
    return JSON.parse(answer.choices[0].message.content);
  },

  async vision(client, { model, data_url: url }) {
    const content = [
      { type: "text", text: "What is this?" },
      { type: "image_url", image_url: { url, detail: "low" } },
    ];
    const answer = await client.chat.completions.create({ model, messages: [{ role: "user", content }] });
    return { text: answer.choices[0].message.content };
  },

  async abort(client, { model }) {
    const chunks = await client.chat.completions.create({ model, messages, stream: true });
    for await (const chunk of chunks) {
      const text = chunk.choices[0].delta.content;
      if (text) {
        chunks.controller.abort();
        return { text };
      }
    }
    return { text: null };
  },

  async models(client) {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    return { models: names };
  },
};

const read = async () => {
  let text = "";
  for await (const part of process.stdin.setEncoding("utf8")) text += part;
  return JSON.parse(text);
};

const job = await read();
const client = new OpenAI({ baseURL: job.url, apiKey: job.key, maxRetries: job.retries, timeout: 20_000 });
const outcome = await operations[job.operation](client, job).catch((error) => {
  if (!(error instanceof APIError)) throw error;
  return { error: seen(error) };
});
console.log(JSON.stringify(outcome));
