// The official JavaScript SDK, unmodified, against the real engine at CONTRACT_URL.

import assert from 'node:assert/strict';
import test from 'node:test';
import { GoogleGenAI } from '@google/genai';

const model = 'gemini-3.1-flash-lite-preview';
const ai = new GoogleGenAI({ apiKey: 'anything', httpOptions: { baseUrl: process.env.CONTRACT_URL } });
const config = { maxOutputTokens: 8 };
const contents = 'Name a river.';

const proves = (feature, detail, body) => test(`${feature}: ${detail}`, body);

proves('generateContent · answer', 'of the real model', async () => {
  const answer = await ai.models.generateContent({ model, contents, config });
  assert(answer.text.length > 0);
  assert(answer.usageMetadata.candidatesTokenCount <= 8);
});

proves('streamGenerateContent · answer', 'of the real model', async () => {
  let said = '';
  for await (const chunk of await ai.models.generateContentStream({ model, contents, config })) {
    said += chunk.text ?? '';
  }
  assert.equal(said, (await ai.models.generateContent({ model, contents, config })).text);
});

proves('generateContent · seed', 'draws the same again', async () => {
  const drawn = { ...config, temperature: 1.5, seed: 7 };
  const [one, two] = [
    await ai.models.generateContent({ model, contents, config: drawn }),
    await ai.models.generateContent({ model, contents, config: drawn }),
  ];
  assert.equal(one.text, two.text);
});

proves('countTokens · contents', 'are those of the answer', async () => {
  const { totalTokens } = await ai.models.countTokens({ model, contents });
  const answer = await ai.models.generateContent({ model, contents, config: { maxOutputTokens: 1 } });
  assert.equal(answer.usageMetadata.promptTokenCount, totalTokens);
});
