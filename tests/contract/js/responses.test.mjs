// OpenAI's official JavaScript SDK, unmodified: responses, against the scripted server at CONTRACT_URL.
// The first argument of `proves` is a row of docs/reference/compatibility.md.

import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI, { toFile } from 'openai';
import { zodResponsesFunction, zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';

const model = 'gemini-3.1-flash-lite';
const client = new OpenAI({ apiKey: 'sk-anything', baseURL: `${process.env.CONTRACT_URL}/v1`, maxRetries: 0 });

const proves = (feature, detail, body) => test(`${feature}: ${detail}`, body);
const ask = (input, options = {}) => client.responses.create({ model, input, ...options });
const refused = (kind, expected) => (error) => {
  assert(error instanceof kind, `${error}`);
  for (const [name, value] of Object.entries(expected)) assert.equal(error[name], value);
  return true;
};
const gather = async (events) => {
  const all = [];
  for await (const event of events) all.push(event);
  return all;
};
const user = (content) => ({ role: 'user', content });
const settled = async (response) => {
  while (['queued', 'in_progress'].includes(response.status)) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    response = await client.responses.retrieve(response.id);
  }
  return response;
};

const weather = {
  type: 'function',
  name: 'get_weather',
  parameters: {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  },
  strict: true,
};

proves('responses · answer', 'comes back', async () => {
  const response = await ask('hello there world');
  assert.equal(response.output_text, 'hello there world');
  assert.equal(response.status, 'completed');
});

proves('responses · usage with its details', 'adds up', async () => {
  const { usage } = await ask('hello there world');
  assert.deepEqual([usage.input_tokens, usage.output_tokens, usage.total_tokens], [3, 3, 6]);
});

proves('responses · input: items of an earlier output, as the SDK gives them', 'go back as they are', async () => {
  const first = await ask('first question');
  const second = await ask([user('first question'), ...first.output, user('second')]);
  assert.equal(second.output_text, 'second');
});

proves('responses, streamed · events in their order, sequence_number', 'are counted', async () => {
  const events = await gather(await ask('one two three', { stream: true }));
  assert.deepEqual(events.map((event) => event.sequence_number), [...events.keys()]);
  assert.equal(events[0].type, 'response.created');
  assert.equal(events.at(-1).type, 'response.completed');
  const deltas = events.filter((event) => event.type === 'response.output_text.delta');
  assert.equal(deltas.map((event) => event.delta).join(''), 'one two three');
});

proves('responses, streamed · the helper of the SDK, with deltas put together', 'ends in a response', async () => {
  const stream = client.responses.stream({ model, input: 'one two three' });
  const deltas = [];
  stream.on('response.output_text.delta', (event) => deltas.push(event.delta));
  const final = await stream.finalResponse();
  assert.equal(final.output_text, 'one two three');
  assert.deepEqual(deltas, ['one', ' two', ' three']);
});

proves('responses, streamed · an engine that breaks: error, then response.failed', 'says so', async () => {
  const stream = await ask('break after three', { stream: true });
  await assert.rejects(gather(stream), refused(OpenAI.APIError, { code: 'server_error' })); // the first of the two
});

proves('responses, stored · previous_response_id', 'is gone on from', async () => {
  const first = await ask('one two');
  const second = await ask('three', { previous_response_id: first.id });
  assert.equal(second.usage.input_tokens, 5);
});

proves('responses, stored · get, and include there', 'is the same', async () => {
  const response = await ask('hello');
  const again = await client.responses.retrieve(response.id);
  assert.deepEqual(again.output, response.output);
  assert.equal(again.output_text, 'hello');
});

proves('responses, stored · delete', 'is gone', async () => {
  const response = await ask('hello');
  await client.responses.delete(response.id);
  await assert.rejects(client.responses.retrieve(response.id), refused(OpenAI.NotFoundError, { status: 404 }));
});

proves('responses, stored · input_items in pages', 'are all there', async () => {
  const response = await ask([user('one'), { role: 'assistant', content: 'two' }, user('three')]);
  const items = await gather(client.responses.inputItems.list(response.id, { limit: 1, order: 'asc' }));
  assert.deepEqual(items.map((item) => item.content[0].text), ['one', 'two', 'three']);
});

proves('responses, tools · a loop by previous_response_id', 'ends in words', async () => {
  const response = await ask('the weather in Boston?', { tools: [weather] });
  const [call] = response.output.filter((item) => item.type === 'function_call');
  assert.deepEqual(JSON.parse(call.arguments), { city: 'Boston' });
  const result = { type: 'function_call_output', call_id: call.call_id, output: 'grey' };
  const answer = await ask([result], { previous_response_id: response.id, tools: [weather] });
  assert.equal(answer.output_text, 'It is get_weather: {"output": "grey"}');
});

proves('responses, tools · a loop by hand, output items sent back', 'ends in words', async () => {
  const said = [user('the weather in Boston?')];
  const response = await ask(said, { tools: [weather], store: false });
  said.push(...response.output);
  const call = response.output.find((item) => item.type === 'function_call');
  said.push({ type: 'function_call_output', call_id: call.call_id, output: 'grey' });
  const answer = await ask(said, { tools: [weather], store: false });
  assert.equal(answer.output_text, 'It is get_weather: {"output": "grey"}');
});

proves('responses, tools · parse() of arguments with zod', 'gives an object', async () => {
  const tool = zodResponsesFunction({ name: 'get_weather', parameters: z.object({ city: z.string() }) });
  const response = await client.responses.parse({ model, input: 'the weather in Boston?', tools: [tool] });
  const call = response.output.find((item) => item.type === 'function_call');
  assert.deepEqual(call.parsed_arguments, { city: 'Boston' });
});

const Recipe = z.object({ name: z.string(), minutes: z.number(), steps: z.array(z.string()) });

proves('responses, forms · parse() with zod', 'gives an object', async () => {
  const response = await client.responses.parse({
    model,
    input: 'a recipe',
    text: { format: zodTextFormat(Recipe, 'recipe') },
  });
  assert.deepEqual(response.output_parsed, { name: 'Bread', minutes: 90, steps: ['mix', 'bake'] });
});

proves('responses, forms · a stream that is parsed', 'gives an object', async () => {
  const format = zodTextFormat(Recipe, 'recipe');
  const stream = client.responses.stream({ model, input: 'a recipe', text: { format } });
  assert.equal((await stream.finalResponse()).output_parsed.name, 'Bread');
});

proves('responses, thinking · reasoning.summary', 'is told', async () => {
  const response = await ask('think about it', { reasoning: { effort: 'low', summary: 'auto' } });
  assert.equal(response.output[0].summary[0].text, 'First this, then that.');
});

proves('responses, background · queued, then polled until it is complete', 'ends', async () => {
  const done = await settled(await ask('count to ten', { background: true }));
  assert.equal(done.status, 'completed');
  assert(done.output_text.endsWith('ten'));
});

proves('responses, background · streamed, resumed with starting_after', 'goes on', async () => {
  const stream = await ask('count to ten', { background: true, stream: true });
  const seen = [];
  for await (const event of stream) {
    seen.push(event);
    if (seen.length === 8) break;
  }
  const place = seen.at(-1).sequence_number;
  const { id } = seen[0].response;
  const rest = await gather(await client.responses.retrieve(id, { stream: true, starting_after: place }));
  assert.equal(rest[0].sequence_number, place + 1);
  assert.equal(rest.at(-1).type, 'response.completed');
});

proves('responses, background · cancel, twice', 'stops', async () => {
  const response = await ask('slowly', { background: true });
  assert.equal((await client.responses.cancel(response.id)).status, 'cancelled');
  assert.equal((await client.responses.cancel(response.id)).status, 'cancelled');
});

proves('responses · input_tokens.count', 'counts', async () => {
  const counted = await client.responses.inputTokens.count({ model, input: 'one two three' });
  assert.equal(counted.input_tokens, 3);
});

proves('responses, errors · previous_response_not_found', 'is told', async () => {
  await assert.rejects(
    ask('hello', { previous_response_id: 'resp_nowhere' }),
    refused(OpenAI.BadRequestError, { code: 'previous_response_not_found', param: 'previous_response_id' }),
  );
});

proves('responses, file search · the model searches, and answers from what was found', 'cites', async () => {
  const file = await client.files.create({
    file: await toFile(Buffer.from('The lamp in the hall is green.'), 'lamp.txt'),
    purpose: 'assistants',
  });
  const store = await client.vectorStores.create({ name: 'house' });
  const added = await client.vectorStores.files.createAndPoll(store.id, { file_id: file.id });
  assert.equal(added.status, 'completed');
  const tools = [{ type: 'file_search', vector_store_ids: [store.id] }];
  const response = await ask('look up the lamp', { tools, include: ['file_search_call.results'] });
  const search = response.output.find((item) => item.type === 'file_search_call');
  assert.equal(search.results[0].filename, 'lamp.txt');
  const message = response.output.at(-1);
  assert.equal(message.content[0].annotations[0].file_id, file.id);
  await client.vectorStores.delete(store.id);
});
