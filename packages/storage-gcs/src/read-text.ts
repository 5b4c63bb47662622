import type { HttpAnswer } from './http-call.ts'

/** Answers of the API are small; what is longer is cut. A page of a listing has at most a thousand objects of some 1.5 kB. */
const MOST_TEXT_BYTES = 16 * 2 ** 20

/** The body of an answer as text. */
export async function readText(answer: HttpAnswer): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of answer.read()) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > MOST_TEXT_BYTES) break
  }
  return Buffer.concat(chunks).toString('utf8')
}
