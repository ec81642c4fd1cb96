// The caches API through the official JavaScript SDK, unmodified, against the server at CONTRACT_URL.
// The first argument of `proves` is a row of docs/reference/compatibility.md.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ApiError, GoogleGenAI } from '@google/genai';

const baseUrl = process.env.CONTRACT_URL;
const ai = new GoogleGenAI({ apiKey: 'anything', httpOptions: { baseUrl } });
const model = 'gemini-3.1-flash-lite';
const contract = Array.from({ length: 1500 }, (_, number) => `clause${number}`).join(' ');

const proves = (feature, detail, body) => test(`${feature}: ${detail}`, body);
const make = (config = {}) => ai.caches.create({ model, config: { contents: contract, ...config } });
const ask = (cache, config = {}) => ({
  model,
  contents: 'count to ten',
  config: { cachedContent: cache.name, ...config },
});
const refused = (status, said) => (error) => {
  assert(error instanceof ApiError);
  assert.equal(error.status, status);
  assert(error.message.includes(said), error.message);
  return true;
};
const seconds = (from, to) => Math.round((Date.parse(to) - Date.parse(from)) / 1000);

proves('caches · resource', 'is told without what is in it', async () => {
  const cache = await make();
  assert.match(cache.name, /^cachedContents\/[a-z0-9]{40}$/);
  assert.equal(cache.model, `models/${model}`);
  assert.equal(cache.displayName, '');
  assert.equal(cache.usageMetadata.totalTokenCount, 1500);
  assert.equal(seconds(cache.createTime, cache.expireTime), 3600);
  assert.deepEqual(await ai.caches.get({ name: cache.name }), cache);
  await ai.caches.delete({ name: cache.name });
});

proves('caches · displayName, systemInstruction, ttl', 'are kept', async () => {
  const cache = await make({ systemInstruction: 'Be brief.', displayName: 'Vertrag', ttl: '300s' });
  assert.equal(cache.displayName, 'Vertrag');
  assert.equal(cache.usageMetadata.totalTokenCount, 1502);
  assert.equal(seconds(cache.createTime, cache.expireTime), 300);
  await ai.caches.delete({ name: cache.name });
});

proves('caches · list, with pages', 'the newest first', async () => {
  const made = [];
  for (let number = 0; number < 3; number += 1) made.unshift((await make()).name);
  const listed = [];
  for await (const cache of await ai.caches.list({ config: { pageSize: 2 } })) listed.push(cache.name);
  assert.deepEqual(listed.filter((name) => made.includes(name)), made);
  for (const name of made) await ai.caches.delete({ name });
});

proves('caches · update of ttl', 'moves the end', async () => {
  const cache = await make();
  const changed = await ai.caches.update({ name: cache.name, config: { ttl: '7200s' } });
  assert.equal(seconds(changed.updateTime, changed.expireTime), 7200);
  await ai.caches.delete({ name: cache.name });
});

proves('caches · update of expireTime', 'moves the end', async () => {
  const cache = await make();
  const end = new Date(Date.now() + 600_000).toISOString();
  const changed = await ai.caches.update({ name: cache.name, config: { expireTime: end } });
  assert.equal(Date.parse(changed.expireTime), Date.parse(end));
  await ai.caches.delete({ name: cache.name });
});

proves('generateContent · cachedContent', 'whole', async () => {
  const cache = await make();
  const answer = await ai.models.generateContent(ask(cache));
  assert.equal(answer.text, 'one two three four five six seven eight nine ten');
  assert.equal(answer.usageMetadata.promptTokenCount, 1503);
  assert.equal(answer.usageMetadata.cachedContentTokenCount, 1500);
  assert.deepEqual(answer.usageMetadata.cacheTokensDetails, [{ modality: 'TEXT', tokenCount: 1500 }]);
  await ai.caches.delete({ name: cache.name });
});

proves('streamGenerateContent · cachedContent', 'streamed', async () => {
  const cache = await make();
  const counts = new Set();
  for await (const chunk of await ai.models.generateContentStream(ask(cache))) {
    counts.add(chunk.usageMetadata.cachedContentTokenCount);
  }
  assert.deepEqual([...counts], [1500]);
  await ai.caches.delete({ name: cache.name });
});

proves('caches · delete', 'is for good', async () => {
  const cache = await make();
  await ai.caches.delete({ name: cache.name });
  const gone = refused(403, 'CachedContent not found (or permission denied)');
  await assert.rejects(ai.caches.get({ name: cache.name }), gone);
  await assert.rejects(ai.models.generateContent(ask(cache)), gone);
});

proves('caches · too small', 'is refused', async () => {
  await assert.rejects(
    make({ contents: 'a b c' }),
    refused(400, 'Cached content is too small. total_token_count=3, min_total_token_count=1024'),
  );
});

proves('caches · beside systemInstruction, tools, toolConfig', 'is refused', async () => {
  const cache = await make();
  await assert.rejects(
    ai.models.generateContent(ask(cache, { systemInstruction: 'x' })),
    refused(400, 'CachedContent can not be used with GenerateContent request setting'),
  );
  await ai.caches.delete({ name: cache.name });
});
