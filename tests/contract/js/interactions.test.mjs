// Google's official JavaScript SDK, unmodified: client.interactions against the scripted server at CONTRACT_URL.
// The first argument of `proves` is a row of docs/reference/compatibility.md.

import assert from 'node:assert/strict';
import test from 'node:test';
import { GoogleGenAI } from '@google/genai';

const model = 'gemini-3.1-flash-lite';
const httpOptions = { baseUrl: process.env.CONTRACT_URL };
const ai = new GoogleGenAI({ apiKey: 'anything', httpOptions });
const once = new GoogleGenAI({ apiKey: 'anything', httpOptions: { ...httpOptions, retryOptions: { attempts: 1 } } });

const proves = (feature, detail, body) => test(`${feature}: ${detail}`, body);
const say = (input, options = {}, by = ai) => by.interactions.create({ model, input, ...options });
const gather = async (stream) => {
  const all = [];
  for await (const event of stream) all.push(event);
  return all;
};
const deltas = (events, type = 'text') =>
  events.filter((event) => event.event_type === 'step.delta' && event.delta.type === type).map((event) => event.delta);
const textOf = (events) => deltas(events).map((delta) => delta.text).join('');
const said = (answer) =>
  answer.steps
    .filter((step) => step.type === 'model_output')
    .flatMap((step) => step.content)
    .map((content) => content.text)
    .join('');
const refused = (status, code) => (error) => {
  assert.equal(error.status ?? error.statusCode, status, `${error}`);
  assert(JSON.stringify(error.error ?? error.body ?? error.message).includes(code), `${error.message}`);
  return true;
};
const weather = {
  type: 'function',
  name: 'get_weather',
  description: 'Tell the weather.',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

proves('interactions · answer', 'comes back', async () => {
  const answer = await say('hello there world');
  assert.equal(said(answer), 'hello there world');
  assert.equal(answer.status, 'completed');
  assert.equal(answer.model, 'scripted');
  assert(answer.id.startsWith('v1_'));
});

proves('interactions · usage', 'adds up', async () => {
  const { initial_input_tokens: _, ...usage } = (await say('hello there world')).usage; // the SDK adds one
  assert.deepEqual(usage, {
    total_tokens: 6,
    total_input_tokens: 3,
    input_tokens_by_modality: [{ modality: 'text', tokens: 3 }],
    total_cached_tokens: 0,
    total_output_tokens: 3,
    total_tool_use_tokens: 0,
    total_thought_tokens: 0,
  });
});

proves('interactions · input: a string, a content, contents, steps', 'mean the same', async () => {
  const text = { type: 'text', text: 'hello there' };
  for (const input of ['hello there', text, [text], [{ type: 'user_input', content: [text] }]])
    assert.equal(said(await say(input)), 'hello there');
});

proves('interactions · generation_config: thinking_level, thinking_summaries', 'tell thoughts', async () => {
  const answer = await say('think about life', {
    generation_config: { thinking_level: 'low', thinking_summaries: 'auto' },
  });
  assert.equal(answer.steps[0].summary[0].text, 'First this, then that.');
  assert.equal(said(answer), 'The answer is 42.');
});

proves('interactions · response_format: JSON and schemas', 'are held to', async () => {
  const schema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };
  const answer = await say('a recipe', {
    response_format: { type: 'text', mime_type: 'application/json', schema },
  });
  assert.equal(JSON.parse(said(answer)).name, 'Bread');
});

proves('interactions, streamed · events in their order', 'from created to completed', async () => {
  const events = await gather(await say('hello there world', { stream: true }));
  const kinds = events.map((event) => event.event_type);
  assert.deepEqual(kinds.slice(0, 3), ['interaction.created', 'interaction.status_update', 'step.start']);
  assert.deepEqual(kinds.slice(-2), ['step.stop', 'interaction.completed']);
  assert.equal(textOf(events), 'hello there world');
  assert.equal(events.at(-1).interaction.usage.total_tokens, 6);
});

proves('interactions, streamed · an error is the last event', 'with its code', async () => {
  const events = await gather(await say('break after three', { stream: true }));
  assert.equal(events.at(-1).event_type, 'error');
  assert.equal(events.at(-1).error.code, 'service_unavailable');
});

proves('interactions, functions · a call, its result, an answer, by previous_interaction_id', 'loops', async () => {
  const asked = await say('weather in Boston', { tools: [weather] });
  assert.equal(asked.status, 'requires_action');
  const call = asked.steps.at(-1);
  assert.deepEqual(call.arguments, { city: 'Boston' });
  const result = { type: 'function_result', call_id: call.id, name: call.name, result: { degrees: 21 } };
  const answer = await say([result], { previous_interaction_id: asked.id, tools: [weather] });
  assert.equal(said(answer), 'It is get_weather: {"degrees": 21}');
});

proves('interactions, functions · stateless, all steps sent back', 'loops', async () => {
  const history = [{ type: 'user_input', content: [{ type: 'text', text: 'weather in Boston' }] }];
  const asked = await say(history, { tools: [weather], store: false });
  const call = asked.steps.at(-1);
  const result = { type: 'function_result', call_id: call.id, name: call.name, result: 'sunny' };
  const answer = await say([...history, ...asked.steps, result], { tools: [weather], store: false });
  assert.equal(said(answer), 'It is get_weather: {"output": "sunny"}');
});

proves('interactions, stored · get, include_input', 'tell it again', async () => {
  const answer = await say('hello there');
  assert.deepEqual(said(await ai.interactions.get(answer.id)), 'hello there');
  assert.equal((await ai.interactions.get(answer.id, { include_input: true })).input, 'hello there');
});

proves('interactions, stored · get streamed, last_event_id', 'goes on', async () => {
  const events = await gather(await say('count to ten', { stream: true }));
  const half = events.slice(0, events.length / 2);
  const rest = await gather(
    await ai.interactions.get(events[0].interaction.id, { stream: true, last_event_id: half.at(-1).event_id }),
  );
  assert.equal(textOf(half) + textOf(rest), textOf(events));
});

proves('interactions, stored · delete', 'is for good', async () => {
  const answer = await say('hello');
  await ai.interactions.delete(answer.id);
  await assert.rejects(once.interactions.get(answer.id), refused(404, 'not_found'));
});

proves('interactions, background · create, poll', 'ends', async () => {
  let found = await say('hello there', { background: true });
  for (let left = 200; found.status === 'in_progress' && left; left--) {
    await new Promise((done) => setTimeout(done, 50));
    found = await ai.interactions.get(found.id);
  }
  assert.equal(found.status, 'completed');
  assert.equal(said(found), 'hello there');
});

proves('interactions, background · cancel', 'stops it', async () => {
  const begun = await say('slowly', { background: true });
  assert.equal((await ai.interactions.cancel(begun.id)).status, 'cancelled');
});

proves('interactions, errors · unknown fields, models, interactions', 'are told', async () => {
  await assert.rejects(say('hello', { model: 'gemini-0' }, once), refused(404, 'model_not_found'));
  await assert.rejects(say('hello', { tools: [{ type: 'google_search' }] }, once), refused(400, 'tools[0].type'));
});
