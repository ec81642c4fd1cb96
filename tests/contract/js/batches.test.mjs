// The batches API through the official JavaScript SDK, unmodified, against the server at CONTRACT_URL.
// The first argument of `proves` is a row of docs/reference/compatibility.md.

import assert from 'node:assert/strict';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { ApiError, GoogleGenAI, JobState } from '@google/genai';

const baseUrl = process.env.CONTRACT_URL;
const ai = new GoogleGenAI({ apiKey: 'anything', httpOptions: { baseUrl } });
const model = 'gemini-3.1-flash-lite';
const embedder = 'gemini-embedding-001';
const ends = ['SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED'].map((name) => JobState[`JOB_STATE_${name}`]);

const proves = (feature, detail, body) => test(`${feature}: ${detail}`, body);
const rest = (ms) => new Promise((done) => setTimeout(done, ms));
const folder = await mkdtemp(join(tmpdir(), 'batches-'));
const ask = (text, key, config) => ({
  contents: [{ parts: [{ text }], role: 'user' }],
  ...(key && { metadata: { key } }),
  ...(config && { config }),
});
const line = (text, key) => ({ key, request: { contents: [{ parts: [{ text }] }] } });
const put = async (lines) => {
  const text = lines.map((each) => `${JSON.stringify(each)}\n`).join('');
  return ai.files.upload({ file: new Blob([text]), config: { mimeType: 'application/jsonl' } });
};
const ended = async (job) => {
  for (let looks = 0; !ends.includes(job.state); looks++) {
    assert(looks < 1000, JSON.stringify(job));
    await rest(50);
    job = await ai.batches.get({ name: job.name });
  }
  return job;
};
const downloaded = async (name) => {
  const path = join(folder, name.replace('/', '-'));
  await ai.files.download({ file: name, downloadPath: path });
  for (let looks = 0; looks < 200; looks++) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.endsWith('\n')) return text.trim().split('\n').map((each) => JSON.parse(each));
    await rest(20); // the SDK does not wait for its own stream
  }
  throw new Error('the download did not end');
};
const refused = (status, said) => (error) => {
  assert(error instanceof ApiError);
  assert.equal(error.status, status);
  assert(error.message.includes(said), error.message);
  return true;
};

proves('batches · requests in the body, results in their order', 'ten of them', async () => {
  const src = Array.from({ length: 10 }, (_, n) => ask(`number ${n}`, `k${n}`));
  const made = await ai.batches.create({ model, src, config: { displayName: 'ten' } });
  assert.match(made.name, /^batches\/[a-z0-9]+$/);
  assert.equal(made.displayName, 'ten');
  assert.equal(made.model, `models/${model}`);
  const job = await ended(made);
  assert.equal(job.state, JobState.JOB_STATE_SUCCEEDED);
  const found = job.dest.inlinedResponses;
  assert.deepEqual(found.map((each) => each.metadata.key), src.map((each) => each.metadata.key));
  const said = found.map((each) => each.response.candidates[0].content.parts[0].text);
  assert.deepEqual(said, src.map((each) => each.contents[0].parts[0].text));
  assert(Date.parse(job.endTime) >= Date.parse(job.createTime));
});

proves('batches · each request with its own config', 'a bound and a system instruction', async () => {
  const config = { maxOutputTokens: 2, systemInstruction: 'Be brief.', temperature: 0 };
  const job = await ended(await ai.batches.create({ model, src: [ask('one two three four', 'a', config)] }));
  assert.equal(job.dest.inlinedResponses[0].response.candidates[0].finishReason, 'MAX_TOKENS');
});

proves('batches · a wrong request costs itself only', 'with its metadata', async () => {
  const src = [ask('first', 'a'), ask('second', 'b', { maxOutputTokens: -1 })];
  const job = await ended(await ai.batches.create({ model, src }));
  const [one, two] = job.dest.inlinedResponses;
  assert.equal(job.state, JobState.JOB_STATE_SUCCEEDED);
  assert(one.response && !one.error);
  assert.equal(two.error.code, 3);
  assert.deepEqual(two.metadata, { key: 'b' });
});

proves('batches · requests in a file, results in one', 'downloaded and parsed', async () => {
  const file = await put(Array.from({ length: 30 }, (_, n) => line(`number ${n}`, `k${n}`)));
  const job = await ended(await ai.batches.create({ model, src: file.name }));
  assert.equal(job.state, JobState.JOB_STATE_SUCCEEDED);
  const found = await downloaded(job.dest.fileName);
  assert.deepEqual(found.map((each) => each.key), Array.from({ length: 30 }, (_, n) => `k${n}`));
  assert.equal(found[29].response.candidates[0].content.parts[0].text, 'number 29');
});

proves('batches · embeddings, in the body', 'as they are embedded live', async () => {
  const texts = ['one', 'two'];
  const src = { inlinedRequests: { contents: texts, config: { taskType: 'CLUSTERING' } } };
  const job = await ended(await ai.batches.createEmbeddings({ model: embedder, src }));
  const found = job.dest.inlinedEmbedContentResponses;
  const live = await ai.models.embedContent({ model: embedder, contents: texts, config: { taskType: 'CLUSTERING' } });
  assert.equal(found.length, 2);
  found.forEach((each, n) => {
    const expected = live.embeddings[n].values;
    each.response.embedding.values.forEach((value, at) => assert(Math.abs(value - expected[at]) < 1e-5));
  });
});

proves('batches · embeddings, in a file', 'with keys', async () => {
  const lines = ['a', 'b'].map((key) => ({ key, request: { content: { parts: [{ text: key }] } } }));
  const file = await put(lines);
  const src = { fileName: file.name };
  const job = await ended(await ai.batches.createEmbeddings({ model: embedder, src }));
  const found = await downloaded(job.dest.fileName);
  assert.deepEqual(found.map((each) => each.key), ['a', 'b']);
  assert(found[0].response.embedding.values.length > 0);
});

proves('batches · list, page by page, without results', 'walks every page', async () => {
  const made = [];
  for (let n = 0; n < 3; n++) made.push((await ai.batches.create({ model, src: [ask(`list ${n}`)] })).name);
  const seen = [];
  for await (const job of await ai.batches.list({ config: { pageSize: 2 } })) seen.push(job);
  const names = seen.map((job) => job.name);
  assert.deepEqual(names.filter((name) => made.includes(name)), made.toReversed());
  assert(seen.every((job) => !job.dest?.inlinedResponses));
});

proves('batches · cancel: what is answered stays', 'and the job says so', async () => {
  const src = Array.from({ length: 200 }, (_, n) => ask(`slowly ${n}`));
  const job = await ai.batches.create({ model, src });
  await ai.batches.cancel({ name: job.name });
  assert.equal((await ended(job)).state, JobState.JOB_STATE_CANCELLED);
});

proves('batches · delete', 'and then nobody knows it', async () => {
  const job = await ended(await ai.batches.create({ model, src: [ask('hello')] }));
  await ai.batches.delete({ name: job.name });
  await assert.rejects(ai.batches.get({ name: job.name }), refused(404, 'Requested entity was not found.'));
});

proves('batches · an unknown model', 'is a 404 with the verb', async () => {
  const made = ai.batches.create({ model: 'never-was', src: [ask('hello')] });
  await assert.rejects(made, refused(404, 'is not supported for batchGenerateContent.'));
});

proves('batches · a file that is unknown, or of another project', 'is a 403', async () => {
  const made = ai.batches.create({ model, src: 'files/never-was' });
  await assert.rejects(made, refused(403, 'You do not have permission to access the File never-was'));
});
