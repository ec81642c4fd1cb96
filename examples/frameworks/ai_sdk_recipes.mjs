// Vercel's AI SDK: an answer, a stream, a tool, an object that validates, and vectors; by OpenAI's provider and by
// Google's.
//
//     npm install ai @ai-sdk/openai @ai-sdk/google zod

import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { cosineSimilarity, embedMany, generateText, Output, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';

const url = process.env.GEMINID_URL ?? 'http://127.0.0.1:8080';
const name = process.env.GEMINI_MODEL ?? 'gemini-3.1-flash-lite';
const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey: 'anything' });
const google = createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey: 'anything' });
const modest = { temperature: 0, maxOutputTokens: 120 };

// `openai.chat` asks chat completions; `openai(name)` alone asks the Responses API.
const { output: recipe } = await generateText({
  model: openai.chat(name),
  output: Output.object({
    schema: z.object({ name: z.string().max(40), minutes: z.number().int().min(1).max(240) }),
  }),
  prompt: 'A recipe for bread',
  ...modest,
});
console.log('recipe:', JSON.stringify(recipe));

const larder = tool({
  description: 'Tell how much of something is there.',
  inputSchema: z.object({ ingredient: z.enum(['flour', 'salt', 'yeast']) }),
  execute: async ({ ingredient }) => ({ ingredient, grams: 500 }),
});
const { steps } = await generateText({
  model: openai.chat(name),
  tools: { larder },
  toolChoice: 'required',
  stopWhen: stepCountIs(1),
  prompt: 'How much flour is there?',
  ...modest,
});
for (const { output } of steps.flatMap((step) => step.toolResults)) console.log('larder:', JSON.stringify(output));

const streamed = streamText({ model: google(name), prompt: 'Why does bread rise?', temperature: 0, maxOutputTokens: 60 });
process.stdout.write('answer: ');
for await (const text of streamed.textStream) process.stdout.write(text);
console.log(`\n${(await streamed.usage).outputTokens} tokens`);

const { embeddings } = await embedMany({
  model: openai.embedding('gemini-embedding-001'),
  values: ['bread', 'a loaf', 'the stock market'],
});
const [bread, loaf, stocks] = embeddings;
console.log('nearer:', cosineSimilarity(bread, loaf) > cosineSimilarity(bread, stocks) ? 'a loaf' : 'the stock market');
