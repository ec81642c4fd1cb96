// Embeddings through the official JavaScript SDK, unmodified, against the server at CONTRACT_URL.
// The first argument of `proves` is a row of docs/reference/compatibility.md.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ApiError, GoogleGenAI } from '@google/genai';

const baseUrl = process.env.CONTRACT_URL;
const ai = new GoogleGenAI({ apiKey: 'anything', httpOptions: { baseUrl } });
const model = 'gemini-embedding-001';

const proves = (feature, detail, body) => test(`${feature}: ${detail}`, body);
const vectors = async (contents, config) => {
  const answer = await ai.models.embedContent({ model, contents, config });
  return answer.embeddings.map((each) => each.values);
};
const refused = (status, said) => (error) => {
  assert(error instanceof ApiError);
  assert.equal(error.status, status);
  assert(error.message.includes(said), error.message);
  return true;
};

proves('embeddings · one text', 'a vector of length 1', async () => {
  const [vector] = await vectors('hello');
  assert(Math.abs(Math.hypot(...vector) - 1) < 1e-5);
});

proves('embeddings · several texts', 'in their order', async () => {
  const [one, two, three] = await vectors(['hello', 'other', 'hello']);
  assert.deepEqual(one, three);
  assert.notDeepEqual(one, two);
});

proves('embeddings · outputDimensionality', 'the beginning of the whole, of length 1', async () => {
  const [[whole], [short]] = [await vectors('hello'), await vectors('hello', { outputDimensionality: 16 })];
  const length = Math.hypot(...whole.slice(0, 16));
  assert.equal(short.length, 16);
  short.forEach((number, at) => assert(Math.abs(number - whole[at] / length) < 1e-5));
});

proves('embeddings · taskType and title', 'all of them', async () => {
  for (const taskType of ['RETRIEVAL_QUERY', 'QUESTION_ANSWERING', 'FACT_VERIFICATION']) {
    assert.equal((await vectors('hello', { taskType })).length, 1);
  }
  assert.equal((await vectors('hello', { taskType: 'RETRIEVAL_DOCUMENT', title: 'Greetings' })).length, 1);
});

proves('embeddings · refusals', 'more numbers than there are', async () => {
  await assert.rejects(vectors('hello', { outputDimensionality: 100_000 }), refused(400, 'ask for 1 to 3072, or leave that to the model'));
});

proves('embeddings · refusals', 'more than a hundred texts', async () => {
  const said = 'at most 100 requests can be in one batch';
  await assert.rejects(vectors(Array.from({ length: 101 }, () => 'hello')), refused(400, said));
});

proves('embeddings · models', 'one that embeds and does not answer', async () => {
  const { supportedActions } = await ai.models.get({ model });
  assert(supportedActions.includes('embedContent'));
  const answer = ai.models.generateContent({ model, contents: 'hello' });
  await assert.rejects(answer, refused(404, 'not supported for generateContent'));
});

proves('embeddings · tokens', 'countTokens', async () => {
  const counted = await ai.models.countTokens({ model, contents: 'one two three' });
  assert(counted.totalTokens > 0);
});
