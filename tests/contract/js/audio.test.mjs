// OpenAI's official JavaScript SDK, unmodified: sound, at a server at CONTRACT_URL that hears.
// CONTRACT_SOUND is a file in which somebody says: The delivery arrives on Friday.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import OpenAI, { toFile } from 'openai';

const client = new OpenAI({
  apiKey: 'sk-anything',
  baseURL: `${process.env.CONTRACT_URL}/v1`,
  maxRetries: 0,
});
const sound = () => fs.createReadStream(process.env.CONTRACT_SOUND);
const proves = (feature, detail, body) => test(`${feature}: ${detail}`, body);
const transcribed = (options = {}) =>
  client.audio.transcriptions.create({ model: 'whisper-1', file: sound(), ...options });

proves('sound · transcriptions, model', 'gives the words', async () => {
  const { text, usage } = await transcribed();
  assert.match(text, /delivery arrives on Friday/i);
  assert.equal(usage.type, 'duration');
});

proves('sound · response_format text, srt, vtt', 'are text', async () => {
  assert.match(await transcribed({ response_format: 'vtt' }), /^WEBVTT\n\n00:00:0/);
});

proves('sound · response_format verbose_json, timestamp_granularities', 'have times', async () => {
  const { words, segments } = await transcribed({
    response_format: 'verbose_json',
    timestamp_granularities: ['word', 'segment'],
  });
  assert(words.length >= 5);
  assert(segments[0].end > segments[0].start);
});

proves('sound · stream', 'comes in pieces', async () => {
  let said = '';
  const stream = await transcribed({
    model: 'gpt-4o-transcribe',
    stream: true,
    chunking_strategy: { type: 'server_vad', silence_duration_ms: 300 },
  });
  for await (const event of stream) {
    if (event.type === 'transcript.text.delta') said += event.delta;
    else assert.equal(event.text, said);
  }
  assert.match(said, /Friday/);
});

proves('sound · translations', 'are in English', async () => {
  const { text } = await client.audio.translations.create({ model: 'whisper-1', file: sound() });
  assert.match(text, /Friday/);
});

proves('sound · errors: files, models, languages', 'name their field', async () => {
  const file = await toFile(Buffer.from('these are words'), 'words.wav');
  await assert.rejects(transcribed({ file }), (error) => error.status === 400 && error.param === 'file');
});
