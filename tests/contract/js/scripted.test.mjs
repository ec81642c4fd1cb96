// The official JavaScript SDK, unmodified, against the scripted server at CONTRACT_URL.
// The first argument of `proves` is a row of docs/reference/compatibility.md.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ApiError, GoogleGenAI } from '@google/genai';

const model = 'gemini-3.1-flash-lite-preview';
const baseUrl = process.env.CONTRACT_URL;
const clientOf = (options = {}, httpOptions = {}) =>
  new GoogleGenAI({ apiKey: 'anything', ...options, httpOptions: { baseUrl, ...httpOptions } });
const ai = clientOf();

const proves = (feature, detail, body) => test(`${feature}: ${detail}`, body);
const say = (contents, config) => ai.models.generateContent({ model, contents, config });
const stream = (contents, config) => ai.models.generateContentStream({ model, contents, config });
const refused = (status, words) => (error) => {
  assert(error instanceof ApiError);
  assert.equal(error.status, status);
  assert(error.message.includes(words), error.message);
  return true;
};
const gather = async (chunks) => {
  const all = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
};
const text = (chunks) => chunks.map((chunk) => chunk.text ?? '').join('');

proves('generateContent · answer', 'comes back', async () => {
  const answer = await say('hello there world');
  assert.equal(answer.text, 'hello there world');
  assert.equal(answer.candidates[0].content.role, 'model');
});

proves('generateContent · finishReason, responseId, modelVersion', 'are told', async () => {
  const answer = await say('hello');
  assert.equal(answer.candidates[0].finishReason, 'STOP');
  assert.equal(answer.modelVersion, 'scripted');
  assert.equal(answer.responseId.length, 22);
});

proves('generateContent · usageMetadata', 'adds up', async () => {
  assert.deepEqual((await say('hello there world')).usageMetadata, {
    promptTokenCount: 3,
    candidatesTokenCount: 3,
    totalTokenCount: 6,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: 3 }],
    serviceTier: 'standard',
  });
});

proves('transport · x-gemini-service-tier', 'is a header', async () => {
  assert.equal((await say('hello')).sdkHttpResponse.headers['x-gemini-service-tier'], 'standard');
});

proves('generateContent · conversations of several turns', 'are read', async () => {
  const turn = (role, words) => ({ role, parts: [{ text: words }] });
  const answer = await say([turn('user', 'first'), turn('model', 'an answer'), turn('user', 'last')]);
  assert.equal(answer.text, 'last');
  assert.equal(answer.usageMetadata.promptTokenCount, 4);
});

proves('generateContent · systemInstruction', 'as text, content and list', async () => {
  for (const systemInstruction of ['be brief', { parts: [{ text: 'be brief' }] }, ['be', ' brief']]) {
    const answer = await say('hello', { systemInstruction });
    assert.equal(answer.text, 'hello');
    assert.equal(answer.usageMetadata.promptTokenCount, 3);
  }
});

proves('generateContent · parallel requests', 'are told apart', async () => {
  const answers = await Promise.all([...Array(20).keys()].map((i) => say(`number ${i}`)));
  answers.forEach((answer, i) => assert.equal(answer.text, `number ${i}`));
});

proves('generateContent · maxOutputTokens', 'ends the answer', async () => {
  const answer = await say('count to ten', { maxOutputTokens: 3 });
  assert.equal(answer.text, 'one two three');
  assert.equal(answer.candidates[0].finishReason, 'MAX_TOKENS');
});

proves('generateContent · stopSequences', 'end the answer', async () => {
  const answer = await say('count to ten', { stopSequences: ['nine', 'four'] });
  assert.equal(answer.text.trimEnd(), 'one two three');
  assert.equal(answer.candidates[0].finishReason, 'STOP');
});

proves('generateContent · candidateCount', 'gives so many', async () => {
  const { candidates } = await say('hello', { candidateCount: 3 });
  assert.deepEqual(candidates.map((candidate) => candidate.index), [0, 1, 2]);
});

proves('generateContent · responseLogprobs', 'names each token', async () => {
  const [candidate] = (await say('hello there', { responseLogprobs: true })).candidates;
  assert.deepEqual(candidate.logprobsResult.chosenCandidates.map(({ token }) => token), ['hello', ' there']);
});

proves('generateContent · safetySettings', 'are accepted, with a word about it', async () => {
  const setting = { category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_ONLY_HIGH' };
  const { headers } = (await say('hello', { safetySettings: [setting] })).sdkHttpResponse;
  assert.equal(headers['x-geminid-downgraded'], 'safety_settings=not-enforced');
});

proves('generateContent · serviceTier', 'is told again', async () => {
  const answer = await say('hello', { serviceTier: 'flex' });
  assert.equal(answer.sdkHttpResponse.headers['x-gemini-service-tier'], 'flex');
  assert.equal(answer.usageMetadata.serviceTier, 'flex');
});

proves('generateContent · labels', 'are accepted', async () => {
  assert.equal((await say('hello', { labels: { team: 'green' } })).text, 'hello');
});

proves('errors · a setting out of its range', 'is a 400', async () => {
  await assert.rejects(say('hello', { temperature: 2.5 }), refused(400, 'temperature value of 2.5'));
  await assert.rejects(say('hello', { topK: 0 }), refused(400, 'topK value of 0'));
});

proves('errors · a field that is not supported', 'is a 400 with its path', async () => {
  const settings = {
    tools: [{ googleSearch: {} }],
    responseMimeType: 'application/xml',
    responseModalities: ['IMAGE'],
  };
  for (const [name, value] of Object.entries(settings)) {
    await assert.rejects(say('hello', { [name]: value }), refused(400, 'BadRequest'), name);
  }
  const image = { inlineData: { data: '//79', mimeType: 'image/png' } };
  await assert.rejects(say([{ text: 'look' }, image]), refused(400, 'contents[0].parts[1].inline_data'));
});

proves('errors · unknown model', 'is a 404', async () => {
  const asked = ai.models.generateContent({ model: 'gemini-9-ultra', contents: 'hello' });
  await assert.rejects(asked, refused(404, 'models/gemini-9-ultra is not found for API version v1beta'));
});

proves('errors · failures of the engine', 'keep their status', async () => {
  await assert.rejects(say('fail now with UNAVAILABLE'), refused(503, 'UNAVAILABLE'));
  await assert.rejects(say('exhausted'), refused(429, 'RESOURCE_EXHAUSTED'));
});

proves('generateContent · X-Server-Timeout', 'is a 504', async () => {
  const asked = say('slowly', { httpOptions: { headers: { 'X-Server-Timeout': '0.2' } } });
  await assert.rejects(asked, refused(504, 'DEADLINE_EXCEEDED'));
});

proves('generateContent · the client leaves', 'with an abort signal', async () => {
  const asked = say('slowly', { abortSignal: AbortSignal.timeout(100) });
  await assert.rejects(asked, (error) => !(error instanceof ApiError));
});

proves('streamGenerateContent · answer', 'comes in chunks', async () => {
  const chunks = await gather(await stream('count to ten', { maxOutputTokens: 4 }));
  assert.equal(text(chunks), 'one two three four');
  assert(chunks.length > 1);
  assert.equal(new Set(chunks.map((chunk) => chunk.responseId)).size, 1);
});

proves('streamGenerateContent · finishReason once, usageMetadata growing', 'in every chunk', async () => {
  const chunks = await gather(await stream('count to ten', { maxOutputTokens: 4 }));
  const reasons = chunks.map((chunk) => chunk.candidates[0].finishReason).filter(Boolean);
  assert.deepEqual(reasons, ['MAX_TOKENS']);
  const counts = chunks.map((chunk) => chunk.usageMetadata.candidatesTokenCount);
  assert.deepEqual(counts, counts.toSorted((a, b) => a - b));
  assert.equal(counts.at(-1), 4);
});

proves('streamGenerateContent · candidateCount', 'interleaves them', async () => {
  const said = ['', ''];
  for (const chunk of await gather(await stream('count to ten', { candidateCount: 2, maxOutputTokens: 2 }))) {
    for (const { index, content } of chunk.candidates) said[index] += content.parts[0].text;
  }
  assert.deepEqual(said, ['one two', 'one two']);
});

proves('streamGenerateContent · failure before the first chunk', 'is an ApiError', async () => {
  await assert.rejects(stream('fail now with UNAVAILABLE'), refused(503, 'UNAVAILABLE'));
});

proves('streamGenerateContent · failure within the stream', 'is an ApiError', async () => {
  const said = [];
  const reading = async () => {
    for await (const chunk of await stream('break after three')) said.push(chunk.text);
  };
  await assert.rejects(reading(), refused(503, 'The script says so: UNAVAILABLE.'));
  assert.equal(said.join(''), 'one two three');
});

proves('streamGenerateContent · X-Server-Timeout', 'is an ApiError', async () => {
  const chunks = await stream('slowly', { httpOptions: { headers: { 'X-Server-Timeout': '0.2' } } });
  await assert.rejects(gather(chunks), refused(504, 'DEADLINE_EXCEEDED'));
});

proves('streamGenerateContent · the client leaves', 'and the engine stops', async () => {
  const leaving = new AbortController();
  const reading = async () => {
    for await (const _ of await stream('slowly', { abortSignal: leaving.signal })) leaving.abort();
  };
  await assert.rejects(reading(), { name: 'AbortError' });
  const producing = async () => (await (await fetch(`${baseUrl}/readyz`)).json()).models[0].producing;
  for (let i = 0; i < 50 && (await producing()) > 0; i++) await new Promise((done) => setTimeout(done, 50));
  assert.equal(await producing(), 0);
});

proves('chats · several turns', 'are sent again', async () => {
  const chat = ai.chats.create({ model, config: { systemInstruction: 'be brief' } });
  assert.equal((await chat.sendMessage({ message: 'first words' })).usageMetadata.promptTokenCount, 4);
  const answer = await chat.sendMessage({ message: 'second' });
  assert.equal(answer.text, 'second');
  assert.equal(answer.usageMetadata.promptTokenCount, 7);
});

proves('chats · a streamed answer sent back as history', 'is accepted', async () => {
  const chat = ai.chats.create({ model });
  await gather(await chat.sendMessageStream({ message: 'count to ten' }));
  const answer = await chat.sendMessage({ message: 'again' });
  assert.equal(answer.text, 'again');
  assert.equal(answer.usageMetadata.promptTokenCount, 3 + 10 + 1);
});

proves('models · list, page by page', 'names each once', async () => {
  const pager = await ai.models.list({ config: { pageSize: 7 } });
  assert.equal(pager.page.length, 7);
  const names = (await gather(pager)).map(({ name }) => name);
  assert(names.includes(`models/${model}`));
  assert(names.length > 7);
  assert.equal(new Set(names).size, names.length);
});

proves('models · get', 'tells the limits', async () => {
  const found = await ai.models.get({ model });
  assert.equal(found.name, `models/${model}`);
  assert.equal(found.inputTokenLimit, 1048576);
  assert.equal(found.outputTokenLimit, 65536);
  await assert.rejects(ai.models.get({ model: 'nothing' }), refused(404, 'not found'));
});

proves('countTokens · contents', 'counts', async () => {
  assert.equal((await ai.models.countTokens({ model, contents: 'hello there world' })).totalTokens, 3);
});

proves('transport · /v1, /v1beta, /v1alpha', 'answer alike', async () => {
  for (const apiVersion of ['v1', 'v1beta', 'v1alpha']) {
    const answer = await clientOf({ apiVersion }).models.generateContent({ model, contents: 'hello' });
    assert.equal(answer.text, 'hello', apiVersion);
  }
});

proves('transport · base URL with a slash at its end', 'is accepted', async () => {
  const slashed = clientOf({}, { baseUrl: `${baseUrl}/` });
  assert.equal((await slashed.models.generateContent({ model, contents: 'hello' })).text, 'hello');
});

proves('transport · base URL from GOOGLE_GEMINI_BASE_URL', 'is used', async () => {
  process.env.GOOGLE_GEMINI_BASE_URL = baseUrl;
  const answer = await new GoogleGenAI({ apiKey: 'x' }).models.generateContent({ model, contents: 'hello' });
  delete process.env.GOOGLE_GEMINI_BASE_URL;
  assert.equal(answer.text, 'hello');
});
