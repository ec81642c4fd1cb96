// Vercel's AI SDK, unmodified, against the scripted server at CONTRACT_URL, by OpenAI's provider (chat completions and
// Responses) and by Google's (generateContent, interactions). The first argument of `proves` is a row of
// docs/reference/compatibility.md.

import assert from 'node:assert/strict';
import test from 'node:test';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { APICallError, generateText, Output, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';

const name = 'gemini-3.1-flash-lite';
const url = process.env.CONTRACT_URL;
const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey: 'anything' });
const google = createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey: 'anything' });
const models = {
  'openai.chat': openai.chat(name), 'openai.responses': openai.responses(name),
  google: google(name), 'google.interactions': google.interactions(name),
};
const maxRetries = 0;
const recipe = z.object({ name: z.string(), minutes: z.number().int(), steps: z.array(z.string()) });
const bread = { name: 'Bread', minutes: 90, steps: ['mix', 'bake'] };
const get_weather = tool({
  description: 'Tell the weather.',
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => ({ city, celsius: 21 }),
});

for (const [by, model] of Object.entries(models)) {
  const proves = (feature, body) => test(`${by}: ${feature}`, body);

  proves('generateText', async () => {
    const { text, usage, finishReason } = await generateText({ model, maxRetries, prompt: 'hello there world' });
    assert.equal(text, 'hello there world');
    assert.equal(usage.outputTokens, 3);
    assert.equal(finishReason, 'stop');
  });

  proves('instructions and a history', async () => {
    const messages = [
      { role: 'user', content: 'first' },
      { role: 'assistant', content: 'an answer' },
      { role: 'user', content: [{ type: 'text', text: 'and now' }] },
    ];
    const { text } = await generateText({ model, maxRetries, instructions: 'be brief', messages });
    assert.equal(text, 'and now');
  });

  proves('settings', async () => {
    const { text, finishReason } = await generateText({
      model, maxRetries, prompt: 'count to ten', maxOutputTokens: 3, temperature: 0, topP: 0.9,
    });
    assert.equal(text, 'one two three');
    assert.equal(finishReason, 'length');
  });

  proves('streamText', async () => {
    const streamed = streamText({ model, maxRetries, prompt: 'count to ten' });
    const parts = [];
    for await (const part of streamed.textStream) parts.push(part);
    assert.equal(parts.join(''), 'one two three four five six seven eight nine ten');
    assert(parts.length > 3);
    assert.equal((await streamed.usage).outputTokens, 10);
  });

  proves('tools, there and back', async () => {
    const { text, steps } = await generateText({
      model, maxRetries, tools: { get_weather }, stopWhen: stepCountIs(3), prompt: 'the weather in Paris and Rome',
    });
    assert.deepEqual(steps[0].toolCalls.map((call) => call.input), [{ city: 'Paris' }, { city: 'Rome' }]);
    assert.match(text, /^Both: get_weather: /);
  });

  proves('tools, streamed', async () => {
    const streamed = streamText({
      model, maxRetries, tools: { get_weather }, stopWhen: stepCountIs(3), prompt: 'the weather in Boston',
    });
    let text = '';
    for await (const part of streamed.textStream) text += part;
    assert.match(text, /^It is get_weather: /);
  });

  proves('objects', async () => {
    const { output } = await generateText({
      model, maxRetries, output: Output.object({ schema: recipe }), prompt: 'a recipe',
    });
    assert.deepEqual(output, bread);
  });

  proves('objects, streamed', async () => {
    const streamed = streamText({ model, maxRetries, output: Output.object({ schema: recipe }), prompt: 'a recipe' });
    const parts = [];
    for await (const part of streamed.partialOutputStream) parts.push(part);
    assert.deepEqual(parts.at(-1), bread);
  });

  proves('errors', async () => {
    const broken = generateText({ model, maxRetries, prompt: 'fail now with UNAVAILABLE' });
    await assert.rejects(broken, (error) => APICallError.isInstance(error) && error.statusCode === 503 && error.isRetryable);
  });
}
