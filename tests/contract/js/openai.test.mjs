// OpenAI's official JavaScript SDK, unmodified, against the scripted server at CONTRACT_URL.
// The first argument of `proves` is a row of docs/reference/compatibility.md.

import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI from 'openai';
import { zodFunction, zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';

const model = 'gemini-3.1-flash-lite';
const clientOf = (path) =>
  new OpenAI({ apiKey: 'sk-anything', baseURL: process.env.CONTRACT_URL + path, maxRetries: 0 });
const client = clientOf('/v1');
const googles = clientOf('/v1beta/openai/');

const proves = (feature, detail, body) => test(`${feature}: ${detail}`, body);
const asked = (words) => (typeof words === 'string' ? [{ role: 'user', content: words }] : words);
const say = (words, options = {}, by = client) =>
  by.chat.completions.create({ model, messages: asked(words), ...options });
const refused = (kind, expected) => (error) => {
  assert(error instanceof kind, `${error}`);
  for (const [name, value] of Object.entries(expected)) assert.equal(error[name], value);
  return true;
};
const gather = async (chunks) => {
  const all = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
};
const text = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');

const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' } },
      required: ['city'],
      additionalProperties: false,
    },
    strict: true,
  },
};

proves('chat completions · answer', 'comes back', async () => {
  const answer = await say('hello there world');
  assert.equal(answer.choices[0].message.content, 'hello there world');
  assert.equal(answer.choices[0].finish_reason, 'stop');
});

proves('chat completions · id, created, model, system_fingerprint', 'are told', async () => {
  const answer = await say('hello');
  assert(answer.id.startsWith('chatcmpl-'));
  assert.equal(answer.model, 'scripted');
});

proves('chat completions · usage with its details', 'adds up', async () => {
  const { usage } = await say('hello there world');
  assert.deepEqual([usage.prompt_tokens, usage.completion_tokens, usage.total_tokens], [3, 3, 6]);
});

proves('chat completions · n', 'gives as many', async () => {
  assert.equal((await say('hello', { n: 3 })).choices.length, 3);
});

proves('chat completions · max_tokens, max_completion_tokens', 'bound the answer', async () => {
  const answer = await say('count to ten', { max_completion_tokens: 3 });
  assert.equal(answer.choices[0].message.content, 'one two three');
  assert.equal(answer.choices[0].finish_reason, 'length');
});

proves('chat completions · stop', 'ends the answer', async () => {
  const answer = await say('count to ten', { stop: ['four'] });
  assert.equal(answer.choices[0].message.content.trim(), 'one two three');
});

proves('chat completions, streamed · answer', 'comes in pieces', async () => {
  const chunks = await gather(await say('count to ten', { stream: true }));
  assert.equal(text(chunks), 'one two three four five six seven eight nine ten');
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
});

proves('chat completions, streamed · stream_options.include_usage', 'ends with it', async () => {
  const chunks = await gather(
    await say('count to ten', { stream: true, stream_options: { include_usage: true } }),
  );
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.equal(chunks.at(-1).usage.completion_tokens, 10);
});

proves('chat completions, streamed · the stream helper', 'gathers', async () => {
  const stream = client.chat.completions.stream({ model, messages: asked('count to ten') });
  const final = await stream.finalChatCompletion();
  assert(final.choices[0].message.content.endsWith('nine ten'));
});

proves('chat completions, streamed · failure before the first chunk', 'has its status', async () => {
  await assert.rejects(
    say('fail now with UNAVAILABLE', { stream: true }),
    refused(OpenAI.InternalServerError, { status: 503 }),
  );
});

proves('chat completions, streamed · failure within the stream', 'is thrown', async () => {
  const said = [];
  await assert.rejects(
    async () => {
      for await (const chunk of await say('break after three', { stream: true }))
        said.push(chunk.choices[0].delta.content ?? '');
    },
    (error) => error instanceof OpenAI.APIError && /The script says so/.test(error.message),
  );
  assert.equal(said.join(''), 'one two three');
});

proves('chat completions, tools · a call', 'is made', async () => {
  const { choices } = await say('the weather in Boston', { tools: [weather] });
  assert.equal(choices[0].finish_reason, 'tool_calls');
  assert.deepEqual(JSON.parse(choices[0].message.tool_calls[0].function.arguments), { city: 'Boston' });
});

proves('chat completions, tools · tool_calls and their results', 'by runTools', async () => {
  const called = [];
  const runner = client.chat.completions.runTools({
    model,
    messages: asked('weather in Paris and Rome'),
    tools: [
      zodFunction({
        name: 'get_weather',
        parameters: z.object({ city: z.string() }),
        function: ({ city }) => {
          called.push(city);
          return `21C in ${city}`;
        },
      }),
    ],
  });
  const answer = await runner.finalContent();
  assert.deepEqual(called, ['Paris', 'Rome']);
  assert(answer.startsWith('Both: '));
});

proves('chat completions, tools · streamed', 'gathers the calls', async () => {
  const stream = client.chat.completions.stream({
    model,
    messages: asked('weather in Paris and Rome'),
    tools: [weather],
  });
  const { choices } = await stream.finalChatCompletion();
  const cities = choices[0].message.tool_calls.map((call) => JSON.parse(call.function.arguments).city);
  assert.deepEqual(cities, ['Paris', 'Rome']);
});

proves('chat completions, forms · parse() with zod', 'gives the object', async () => {
  const recipe = z.object({ name: z.string(), minutes: z.number(), steps: z.array(z.string()) });
  const answer = await client.chat.completions.parse({
    model,
    messages: asked('a recipe'),
    response_format: zodResponseFormat(recipe, 'recipe'),
  });
  assert.deepEqual(answer.choices[0].message.parsed, { name: 'Bread', minutes: 90, steps: ['mix', 'bake'] });
});

proves('chat completions, thinking · reasoning_effort, reasoning_tokens', 'are told', async () => {
  const { usage } = await say('think about it', { reasoning_effort: 'high' });
  assert.equal(usage.completion_tokens_details.reasoning_tokens, 4);
});

proves('chat completions, errors · unknown fields', 'are refused', async () => {
  await assert.rejects(
    say('hello', { temprature: 1 }),
    refused(OpenAI.BadRequestError, { type: 'invalid_request_error', param: null }),
  );
});

proves('chat completions, errors · unknown model', 'is not found', async () => {
  await assert.rejects(
    say('hello', { model: 'nosuch' }),
    refused(OpenAI.NotFoundError, { code: 'model_not_found' }),
  );
});

proves('chat completions, headers · x-request-id, openai-processing-ms, openai-version', 'are there', async () => {
  const { response, request_id } = await client.chat.completions
    .create({ model, messages: asked('hello') })
    .withResponse();
  assert(request_id.startsWith('req_'));
  assert(Number(response.headers.get('openai-processing-ms')) >= 0);
});

proves('models (OpenAI) · list and retrieve', 'give the names', async () => {
  const names = (await gather(await client.models.list())).map(({ id }) => id);
  assert(names.includes(model));
  assert.equal((await client.models.retrieve(model)).owned_by, 'geminid');
  await assert.rejects(client.models.retrieve('nosuch'), refused(OpenAI.NotFoundError, {}));
});

proves('/v1beta/openai · answer', 'comes back', async () => {
  const answer = await say('hello', { model: `models/${model}` }, googles);
  assert.equal(answer.choices[0].message.content, 'hello');
});

proves('/v1beta/openai · streamed', 'comes in pieces', async () => {
  const chunks = await gather(await say('count to ten', { stream: true }, googles));
  assert(text(chunks).endsWith('nine ten'));
});

proves('/v1beta/openai · errors as a list', 'have their status', async () => {
  await assert.rejects(
    say('hello', { model: 'nosuch' }, googles),
    refused(OpenAI.NotFoundError, { status: 404 }),
  );
});
