// Functions, thoughts and forms of answers with the official JavaScript SDK, unmodified, against the
// scripted server at CONTRACT_URL.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ApiError, FunctionCallingConfigMode, GoogleGenAI, Type } from '@google/genai';
import { z } from 'zod';

const model = 'gemini-3.1-flash-lite-preview';
const ai = new GoogleGenAI({ apiKey: 'anything', httpOptions: { baseUrl: process.env.CONTRACT_URL } });

const proves = (feature, detail, body) => test(`${feature}: ${detail}`, body);
const say = (contents, config) => ai.models.generateContent({ model, contents, config });
const stream = (contents, config) => ai.models.generateContentStream({ model, contents, config });
const gather = async (chunks) => {
  const all = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
};
const partsOf = (chunks) => chunks.flatMap((chunk) => chunk.candidates[0].content.parts ?? []);
const refused = (words) => (error) => {
  assert(error instanceof ApiError);
  assert.equal(error.status, 400);
  assert(error.message.includes(words), error.message);
  return true;
};

const declared = {
  name: 'get_weather',
  description: 'Tell the weather.',
  parameters: { type: Type.OBJECT, properties: { city: { type: Type.STRING } }, required: ['city'] },
};
const tools = [{ functionDeclarations: [declared] }];

/** A tool that the SDK calls by itself. */
const callable = (declaration = declared) => ({
  tool: async () => ({ functionDeclarations: [declaration] }),
  callTool: async (calls) =>
    calls.map(({ id, name, args }) => ({
      functionResponse: { id, name, response: { output: `21C in ${args.city}` } },
    })),
});

proves('functions · automatic calling', 'runs to the answer', async () => {
  const answer = await say('weather in Boston', { tools: [callable()] });
  assert.equal(answer.text, 'It is get_weather: {"output": "21C in Boston"}');
  const [, called] = answer.automaticFunctionCallingHistory;
  assert(called.parts[0].thoughtSignature.length > 60);
});

proves('functions · automatic calling of a stream', 'runs to the answer', async () => {
  const chunks = await gather(await stream('weather in Boston', { tools: [callable()] }));
  const said = partsOf(chunks).map((part) => part.text ?? '').join('');
  assert(said.endsWith('It is get_weather: {"output": "21C in Boston"}'), said);
});

proves('functions · several calls at once', 'have ids of their own', async () => {
  const answer = await say('weather in Paris and Rome', { tools });
  assert.deepEqual(answer.functionCalls.map(({ args }) => args.city), ['Paris', 'Rome']);
  assert.equal(new Set(answer.functionCalls.map(({ id }) => id)).size, 2);
  const signed = answer.candidates[0].content.parts.map((part) => part.thoughtSignature !== undefined);
  assert.deepEqual(signed, [true, false]);
  const looped = await say('weather in Paris and Rome', { tools: [callable()] });
  assert(looped.text.startsWith('Both: '), looped.text);
});

proves('functions · functionCall and functionResponse', 'by hand', async () => {
  const first = await say('weather in Boston', { tools });
  const [{ id, name, args }] = first.functionCalls;
  assert.deepEqual([name, args], ['get_weather', { city: 'Boston' }]);
  assert.equal(first.candidates[0].finishReason, 'STOP');
  const told = { role: 'user', parts: [{ functionResponse: { id, name, response: { output: '21C' } } }] };
  const asked = { role: 'user', parts: [{ text: 'weather in Boston' }] };
  const second = await say([asked, first.candidates[0].content, told], { tools });
  assert.equal(second.text, 'It is get_weather: {"output": "21C"}');
});

proves('functions · no arguments', 'have empty args', async () => {
  const nothing = [{ functionDeclarations: [{ name: 'current_time' }] }];
  const [call] = (await say('what time is it', { tools: nothing })).functionCalls;
  assert.deepEqual([call.name, call.args], ['current_time', {}]);
});

proves('functions · parametersJsonSchema', 'made by zod', async () => {
  const schema = z.object({ city: z.string().describe('Where.'), days: z.int().min(1).max(7).optional() });
  const declaration = { name: 'get_weather', parametersJsonSchema: z.toJSONSchema(schema) };
  const [call] = (await say('weather in Boston', { tools: [{ functionDeclarations: [declaration] }] })).functionCalls;
  assert.deepEqual(schema.parse(call.args), { city: 'Boston' });
  const answer = await say('weather in Boston', { tools: [callable(declaration)] });
  assert(answer.text.startsWith('It is '), answer.text);
});

proves('functions · functionCallingConfig', 'allows, forces and forbids', async () => {
  const asked = (mode, ...names) => ({
    tools,
    toolConfig: {
      functionCallingConfig: { mode, ...(names.length ? { allowedFunctionNames: names } : {}) },
    },
  });
  const { ANY, AUTO, NONE } = FunctionCallingConfigMode;
  assert.equal((await say('weather in Boston', asked(ANY, 'get_weather'))).functionCalls.length, 1);
  assert.equal((await say('weather in Boston', asked(NONE))).functionCalls, undefined);
  await assert.rejects(say('hello', asked(AUTO, 'get_weather')), refused('ANY or VALIDATED'));
  await assert.rejects(say('hello', asked(ANY, 'nothing')), refused('not among the declared functions'));
});

proves('functions · MALFORMED_FUNCTION_CALL', 'is a finish reason', async () => {
  const [candidate] = (await say('weather nowhere', { tools })).candidates;
  assert.equal(candidate.finishReason, 'MALFORMED_FUNCTION_CALL');
  assert.equal(candidate.content.parts, undefined);
});

proves('functions · thoughtSignature is checked in the current turn', 'and told in words', async () => {
  const asked = { role: 'user', parts: [{ text: 'weather in Boston' }] };
  const call = { functionCall: { name: 'get_weather', args: { city: 'Boston' } } };
  const told = { role: 'user', parts: [{ functionResponse: { name: 'get_weather', response: {} } }] };
  const turns = (part) => [asked, { role: 'model', parts: [part] }, told];
  await assert.rejects(say(turns(call), { tools }), refused('missing a `thought_signature`'));
  const made = { ...call, thoughtSignature: 'bWFkZSB1cA==' };
  await assert.rejects(say(turns(made), { tools }), refused('Thought signature is not valid'));
});

proves('functions · documented values instead of a thoughtSignature', 'in both encodings', async () => {
  const asked = { role: 'user', parts: [{ text: 'weather in Boston' }] };
  const told = { role: 'user', parts: [{ functionResponse: { name: 'get_weather', response: {} } }] };
  for (const value of ['skip_thought_signature_validator', 'context_engineering_is_the_way_to_go']) {
    for (const thoughtSignature of [value, Buffer.from(value).toString('base64')]) {
      const call = { functionCall: { name: 'get_weather', args: {} }, thoughtSignature };
      const answer = await say([asked, { role: 'model', parts: [call] }, told], { tools });
      assert.equal(answer.text, 'It is get_weather: {}', thoughtSignature);
    }
  }
});

proves('chats · functions, with their signatures sent back', 'whole and streamed', async () => {
  const chat = ai.chats.create({ model, config: { tools: [callable()] } });
  assert((await chat.sendMessage({ message: 'weather in Boston' })).text.startsWith('It is '));
  await gather(await chat.sendMessageStream({ message: 'weather in Paris and Rome' }));
  assert.equal((await chat.sendMessage({ message: 'thank you' })).text, 'thank you');
});

const Recipe = z.object({ name: z.string(), minutes: z.int(), steps: z.array(z.string()) });

proves('structured output · responseJsonSchema', 'made by zod', async () => {
  const config = { responseMimeType: 'application/json', responseJsonSchema: z.toJSONSchema(Recipe) };
  assert.equal(Recipe.parse(JSON.parse((await say('a recipe', config)).text)).name, 'Bread');
  config.responseJsonSchema = z.toJSONSchema(z.array(Recipe));
  assert.equal(z.array(Recipe).parse(JSON.parse((await say('two recipes', config)).text)).length, 2);
});

proves('structured output · responseSchema', "in Google's dialect", async () => {
  const responseSchema = {
    type: Type.OBJECT,
    properties: { name: { type: Type.STRING }, minutes: { type: Type.INTEGER, minimum: 0 } },
    required: ['name'],
    propertyOrdering: ['name', 'minutes'],
  };
  const answer = await say('a recipe', { responseMimeType: 'application/json', responseSchema });
  assert.equal(JSON.parse(answer.text).minutes, 90);
});

proves('structured output · text/x.enum', 'is bare', async () => {
  const responseSchema = { type: Type.STRING, enum: ['glad', 'sad'] };
  assert.equal((await say('a feeling', { responseMimeType: 'text/x.enum', responseSchema })).text, 'sad');
});

proves('structured output · streamed', 'in chunks', async () => {
  const config = { responseMimeType: 'application/json', responseJsonSchema: z.toJSONSchema(Recipe) };
  const chunks = await gather(await stream('a recipe', config));
  assert(chunks.length > 2);
  assert.equal(Recipe.parse(JSON.parse(partsOf(chunks).map(({ text }) => text).join(''))).minutes, 90);
});

proves('structured output · schemas that cannot be served', 'are a 400 with their path', async () => {
  const responseJsonSchema = { type: 'object', properties: { a: { type: 'string', pattern: '(' } } };
  const path = 'generation_config.response_json_schema.properties.a.pattern';
  await assert.rejects(say('hello', { responseMimeType: 'application/json', responseJsonSchema }), refused(path));
  await assert.rejects(say('hello', { responseJsonSchema: {} }), refused('a schema needs response_mime_type'));
});

proves('thinking · includeThoughts', 'before the answer', async () => {
  const thinkingConfig = { includeThoughts: true, thinkingLevel: 'LOW' };
  const answer = await say('think about it', { thinkingConfig });
  const [thought, said] = answer.candidates[0].content.parts;
  assert.deepEqual([thought.text, thought.thought], ['First this, then that.', true]);
  assert.deepEqual([answer.text, said.thought], ['The answer is 42.', undefined]);
  assert.equal(answer.usageMetadata.thoughtsTokenCount, 4);
});

proves('thinking · streamed', 'before the answer', async () => {
  const thinkingConfig = { includeThoughts: true, thinkingBudget: -1 };
  const chunks = await gather(await stream('think about it', { thinkingConfig }));
  const parts = partsOf(chunks);
  assert.equal(parts.filter(({ thought }) => thought).map(({ text }) => text).join(''), 'First this, then that.');
  assert.equal(parts.filter(({ thought }) => !thought).map(({ text }) => text).join(''), 'The answer is 42.');
  assert.equal(chunks[0].usageMetadata.candidatesTokenCount, undefined);
  assert(parts.at(-1).thoughtSignature);
});

proves('thinking · thinkingLevel, thinkingBudget', 'exclude each other', async () => {
  const thinkingConfig = { thinkingLevel: 'LOW', thinkingBudget: 5 };
  await assert.rejects(say('hello', { thinkingConfig }), refused('only one of thinking budget and thinking level'));
});
