// OpenAI's official JavaScript SDK, unmodified, against the scripted server at CONTRACT_URL: embeddings, files,
// batches. The first argument of `proves` is a row of docs/reference/compatibility.md.

import assert from 'node:assert/strict';
import { createReadStream, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import OpenAI, { toFile } from 'openai';

const model = 'gemini-3.1-flash-lite';
const embedder = 'scripted-embedding';
const endpoint = '/v1/chat/completions';
const client = new OpenAI({
  apiKey: 'sk-anything',
  baseURL: process.env.CONTRACT_URL + '/v1',
  maxRetries: 0,
});

const proves = (feature, detail, body) => test(`${feature}: ${detail}`, body);
const refused = (kind, expected) => (error) => {
  assert(error instanceof kind, `${error}`);
  for (const [name, value] of Object.entries(expected)) assert.equal(error[name], value);
  return true;
};
const gather = async (items) => {
  const all = [];
  for await (const item of items) all.push(item);
  return all;
};
const upload = (content, options = {}) =>
  toFile(Buffer.from(content), options.name ?? 'note.txt').then((file) =>
    client.files.create({ file, purpose: options.purpose ?? 'user_data', ...options.more }),
  );
const line = (custom_id, words, more = {}) => ({
  custom_id,
  method: 'POST',
  url: endpoint,
  body: { model, messages: [{ role: 'user', content: words }], ...more },
});
const submit = async (lines, more = {}) => {
  const content = lines.map((each) => JSON.stringify(each)).join('\n');
  const file = await upload(content, { name: 'lines.jsonl', purpose: 'batch' });
  return client.batches.create({ input_file_id: file.id, endpoint, completion_window: '24h', ...more });
};
const ended = async (batch) => {
  for (let tries = 0; !['completed', 'failed', 'cancelled', 'expired'].includes(batch.status); tries += 1) {
    assert(tries < 600, batch.status);
    await new Promise((done) => setTimeout(done, 100));
    batch = await client.batches.retrieve(batch.id);
  }
  return batch;
};
const results = async (id) => {
  const text = await (await client.files.content(id)).text();
  return text.trimEnd().split('\n').map((each) => JSON.parse(each));
};

proves('embeddings (OpenAI) · encoding_format: base64, float', 'give the same numbers', async () => {
  const coded = await client.embeddings.create({ model: embedder, input: 'a red lamp' });
  const plain = await client.embeddings.create({ model: embedder, input: 'a red lamp', encoding_format: 'float' });
  assert.deepEqual(coded.data[0].embedding, plain.data[0].embedding.map(Math.fround));
});

proves('embeddings (OpenAI) · input: a list of texts', 'come back in their order', async () => {
  const answer = await client.embeddings.create({ model: embedder, input: ['one', 'two'], dimensions: 4 });
  assert.deepEqual(answer.data.map((each) => [each.index, each.embedding.length]), [[0, 4], [1, 4]]);
  assert(answer.usage.prompt_tokens > 0);
});

proves('embeddings (OpenAI) · mistakes: arrays of tokens, empty texts, unknown models', 'are errors', async () => {
  await assert.rejects(
    client.embeddings.create({ model: embedder, input: [1, 2] }),
    refused(OpenAI.BadRequestError, { param: 'input', code: 'unsupported_value' }),
  );
  await assert.rejects(
    client.embeddings.create({ model: 'nosuch', input: 'a' }),
    refused(OpenAI.NotFoundError, { code: 'model_not_found' }),
  );
});

proves('files (OpenAI) · create, retrieve, content, delete', 'a file comes back as it was', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'geminid-')), 'lamp.txt');
  writeFileSync(path, 'The lamp is red.\n'.repeat(10_000));
  const file = await client.files.create({ file: createReadStream(path), purpose: 'assistants' });
  assert.deepEqual([file.filename, file.bytes, file.purpose], ['lamp.txt', 170_000, 'assistants']);
  assert.equal((await (await client.files.content(file.id)).text()).length, 170_000);
  assert.equal((await client.files.delete(file.id)).deleted, true);
  await assert.rejects(client.files.retrieve(file.id), refused(OpenAI.NotFoundError, { param: 'id' }));
});

proves('files (OpenAI) · list: after, limit, order, purpose', 'goes on page by page', async () => {
  const made = [];
  for (const words of ['a', 'b', 'c']) made.push((await upload(words, { purpose: 'evals' })).id);
  const found = await gather(client.files.list({ limit: 1, order: 'asc', purpose: 'evals' }));
  assert.deepEqual(found.slice(-3).map((file) => file.id), made);
});

proves('files (OpenAI) · expires_after, expires_at', 'are told', async () => {
  const file = await upload('x', { more: { expires_after: { anchor: 'created_at', seconds: 3600 } } });
  assert.equal(file.expires_at - file.created_at, 3600);
});

proves('files (OpenAI) · purpose: fine-tune is refused', 'with its reason', async () => {
  await assert.rejects(
    upload('{}', { purpose: 'fine-tune' }),
    refused(OpenAI.BadRequestError, { param: 'purpose', code: 'unsupported_value' }),
  );
});

proves('files (OpenAI) · file_id in a chat', 'is read', async () => {
  const file = await upload('The lamp is red.');
  const content = [
    { type: 'text', text: 'What colour?' },
    { type: 'file', file: { file_id: file.id } },
  ];
  const answer = await client.chat.completions.create({ model, messages: [{ role: 'user', content }] });
  assert.match(answer.choices[0].message.content, /The lamp is red/);
});

proves('batches (OpenAI) · create, retrieve, results of chat completions', 'in two files', async () => {
  const batch = await submit([line('a', 'hello'), line('b', 'hello', { temperature: 9 })], { metadata: { k: 'v' } });
  const done = await ended(batch);
  assert.deepEqual([done.status, done.metadata], ['completed', { k: 'v' }]);
  assert.deepEqual(done.request_counts, { total: 2, completed: 1, failed: 1 });
  const [good] = await results(done.output_file_id);
  assert.equal(good.custom_id, 'a');
  assert.equal(good.response.body.choices[0].message.content, 'hello');
  const [bad] = await results(done.error_file_id);
  assert.equal(bad.response.body.error.param, 'temperature');
});

proves('batches (OpenAI) · a file that cannot be taken: errors by line', 'fails the batch', async () => {
  const batch = await submit([line('a', 'x'), line('a', 'y')]);
  assert.equal(batch.status, 'failed');
  assert.deepEqual([batch.errors.data[0].code, batch.errors.data[0].line], ['duplicate_custom_id', 2]);
});

proves('batches (OpenAI) · list: after, limit', 'goes on page by page', async () => {
  const { id } = await submit([line('a', 'x')]);
  const found = await gather(client.batches.list({ limit: 1 }));
  assert(found.some((batch) => batch.id === id));
});

proves('batches (OpenAI) · cancel: one that has ended is a 409', 'is refused', async () => {
  const done = await ended(await submit([line('a', 'x')]));
  await assert.rejects(client.batches.cancel(done.id), refused(OpenAI.ConflictError, { status: 409 }));
});

proves('batches (OpenAI) · mistakes of the request', 'are told by their parameter', async () => {
  await assert.rejects(
    client.batches.create({ input_file_id: 'file-x', endpoint: '/v1/nosuch', completion_window: '24h' }),
    refused(OpenAI.BadRequestError, { param: 'endpoint', code: 'invalid_value' }),
  );
});

proves('what there is not (OpenAI) · a 404 that says what to use instead', 'assistants, moderations', async () => {
  const gone = refused(OpenAI.NotFoundError, { code: 'unknown_url' });
  await assert.rejects(client.beta.assistants.create({ model }), gone);
  await assert.rejects(client.moderations.create({ input: 'x' }), gone);
});
