// The Files API through the official JavaScript SDK, unmodified, against the server at CONTRACT_URL.
// The first argument of `proves` is a row of docs/reference/compatibility.md.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { ApiError, GoogleGenAI } from '@google/genai';

const baseUrl = process.env.CONTRACT_URL;
const ai = new GoogleGenAI({ apiKey: 'anything', httpOptions: { baseUrl } });

const proves = (feature, detail, body) => test(`${feature}: ${detail}`, body);
const words = 'The warehouse is run by Ms Okafor.\n';
const folder = await mkdtemp(join(tmpdir(), 'files-'));
const hash = (data) =>
  Buffer.from(createHash('sha256').update(data).digest('hex')).toString('base64');
const put = async (data = words, config = {}) =>
  ai.files.upload({ file: new Blob([data]), config: { mimeType: 'text/plain', ...config } });
const refused = (status, said) => (error) => {
  assert(error instanceof ApiError);
  assert.equal(error.status, status);
  assert(error.message.includes(said), error.message);
  return true;
};

proves('files · upload of a path', 'comes back whole', async () => {
  const path = join(folder, 'report.txt');
  await writeFile(path, words);
  const file = await ai.files.upload({ file: path });
  assert.match(file.name, /^files\/[a-z0-9]{12}$/);
  assert.equal(file.mimeType, 'text/plain');
  assert.equal(file.sizeBytes, String(words.length));
  assert.equal(file.displayName, 'report.txt');
  assert.equal(file.sha256Hash, hash(words));
  assert.equal(file.state, 'ACTIVE');
  assert.equal(file.source, 'UPLOADED');
  assert.equal(Date.parse(file.expirationTime) - Date.parse(file.createTime), 48 * 3600 * 1000);
  await ai.files.delete({ name: file.name });
});

proves('files · upload of a stream, with name, displayName and mimeType', 'as a Blob', async () => {
  const file = await put(words, { name: 'js-notes', displayName: 'Notes · Notizen', mimeType: 'text/csv' });
  assert.equal(file.name, 'files/js-notes');
  assert.equal(file.displayName, 'Notes · Notizen');
  assert.equal(file.mimeType, 'text/csv');
  await ai.files.delete({ name: file.name });
});

proves('files · a large upload in chunks of 8 MiB', 'from a path and from a Blob', async () => {
  const data = Buffer.alloc(100_000_000, 'rivers and lakes ');
  const path = join(folder, 'large.txt');
  await writeFile(path, data);
  const file = await ai.files.upload({ file: path });
  assert.equal(file.sha256Hash, hash(data));
  const part = data.subarray(0, 20 * 1024 * 1024);
  const blob = await put(part);
  assert.equal(blob.sha256Hash, hash(part));
  await ai.files.delete({ name: file.name });
  await ai.files.delete({ name: blob.name });
});

proves('files · get', 'tells what the upload told', async () => {
  const file = await put();
  assert.deepEqual(await ai.files.get({ name: file.name }), file);
  await ai.files.delete({ name: file.name });
});

proves('files · FAILED, with its error', 'after PROCESSING', async () => {
  let file = await put('no sound', { mimeType: 'audio/wav' });
  assert.equal(file.state, 'PROCESSING');
  while (file.state === 'PROCESSING') {
    await new Promise((done) => setTimeout(done, 50));
    file = await ai.files.get({ name: file.name });
  }
  assert.equal(file.state, 'FAILED');
  assert.equal(file.error.code, 3);
  await ai.files.delete({ name: file.name });
});

proves('files · list, page by page', 'walks every page', async () => {
  const made = [];
  for (let n = 0; n < 5; n++) made.push((await put()).name);
  const seen = [];
  for await (const file of await ai.files.list({ config: { pageSize: 2 } })) seen.push(file.name);
  assert.deepEqual(seen.filter((name) => made.includes(name)), made.toReversed());
  for (const name of made) await ai.files.delete({ name });
});

proves('files · delete', 'and then nobody knows it', async () => {
  const file = await put();
  await ai.files.delete({ name: file.name });
  const id = file.name.slice('files/'.length);
  const said = `You do not have permission to access the File ${id} or it may not exist.`;
  await assert.rejects(ai.files.get({ name: file.name }), refused(403, said));
});

proves('files · download', 'to a path', async () => {
  const file = await put();
  const path = join(folder, 'copy.txt');
  await ai.files.download({ file: file.name, downloadPath: path });
  for (let n = 0; n < 100; n++) {
    if ((await readFile(path, 'utf8').catch(() => '')) === words) break;
    await new Promise((done) => setTimeout(done, 20)); // the SDK does not wait for its own stream
  }
  assert.equal(await readFile(path, 'utf8'), words);
  await ai.files.delete({ name: file.name });
});

proves('files · a name that is taken or cannot be', 'is refused', async () => {
  const file = await put(words, { name: 'js-taken' });
  await assert.rejects(put(words, { name: 'js-taken' }), refused(409, 'The File js-taken already exists.'));
  await assert.rejects(put(words, { name: 'Not-A-Name' }), refused(400, 'file.name'));
  await ai.files.delete({ name: file.name });
});
