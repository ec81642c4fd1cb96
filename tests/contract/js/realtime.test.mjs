// OpenAI's official JavaScript SDK, unmodified: live sessions at the scripted server at CONTRACT_URL.
// The first argument of `proves` is a row of docs/reference/compatibility.md.

import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';

const model = 'gemini-3.1-flash-lite';
const client = new OpenAI({
  apiKey: 'sk-anything',
  baseURL: `${process.env.CONTRACT_URL}/v1`,
  maxRetries: 0,
});
const weather = {
  type: 'function',
  name: 'get_weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

const proves = (feature, detail, body) => test(`${feature}: ${detail}`, body);
const user = (text) => ({
  type: 'conversation.item.create',
  item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
});

// The SDK always speaks TLS, which ends at a proxy in front of the server; here it is left out.
const { hostname, port } = new URL(process.env.CONTRACT_URL);
const createConnection = () => net.connect(Number(port), hostname);

// Opens a session, lets `body` use it with a reader of events, and closes it.
const live = async (body) => {
  const session = new OpenAIRealtimeWS({ model, options: { createConnection } }, client);
  const events = [];
  const waiting = [];
  const failed = new Promise((_, reject) => session.on('error', reject));
  failed.catch(() => {});
  session.on('event', (event) => {
    events.push(event);
    waiting.splice(0).forEach((wake) => wake());
  });
  const until = async (type) => {
    const seen = [];
    for (;;) {
      while (!events.length) {
        await Promise.race([new Promise((wake) => waiting.push(wake)), type === 'error' ? new Promise(() => {}) : failed]);
      }
      seen.push(events.shift());
      if (seen.at(-1).type === type) return seen;
    }
  };
  try {
    await until('session.created');
    await body(session, until);
  } finally {
    session.close();
  }
};
const text = (events) =>
  events
    .filter(({ type }) => type === 'response.output_text.delta')
    .map(({ delta }) => delta)
    .join('');

proves('live sessions · a text turn, its events in order', 'answers', async () => {
  await live(async (session, until) => {
    session.send(user('hello there world'));
    session.send({ type: 'response.create' });
    const events = await until('response.done');
    assert.equal(text(events), 'hello there world');
    assert.equal(events.at(-1).response.usage.total_tokens, 6);
  });
});

proves('live sessions · a function is called, and its result answered', 'both turns', async () => {
  await live(async (session, until) => {
    session.send({ type: 'session.update', session: { type: 'realtime', tools: [weather] } });
    await until('session.updated');
    session.send(user('the weather in Boston, please'));
    session.send({ type: 'response.create' });
    const [call] = (await until('response.done')).at(-1).response.output;
    assert.deepEqual(JSON.parse(call.arguments), { city: 'Boston' });
    session.send({
      type: 'conversation.item.create',
      item: { type: 'function_call_output', call_id: call.call_id, output: 'sunny' },
    });
    session.send({ type: 'response.create' });
    assert.match(text(await until('response.done')), /^It is /);
  });
});

proves('live sessions · response.cancel', 'ends the answer', async () => {
  await live(async (session, until) => {
    session.send(user('slowly'));
    session.send({ type: 'response.create' });
    await until('response.output_text.delta');
    session.send({ type: 'response.cancel' });
    assert.equal((await until('response.done')).at(-1).response.status, 'cancelled');
  });
});

proves('live sessions · output_modalities audio, semantic_vad, noise_reduction, prompt: refused', 'as an error', async () => {
  await live(async (session, until) => {
    session.send({ type: 'session.update', session: { type: 'realtime', output_modalities: ['audio'] } });
    const { error } = (await until('error')).at(-1);
    assert.equal(error.param, 'session.output_modalities');
  });
});

proves('live sessions · client_secrets', 'are made', async () => {
  const made = await client.realtime.clientSecrets.create({ session: { type: 'realtime', model } });
  assert(made.value.startsWith('ek_'));
  assert.equal(made.session.model, model);
});
