import { readAll, type ByteSource } from '@waltz/bytes'
import { isFault, type FaultKind } from '@waltz/errors'
import type { ProbeAnswer, ProbeContext } from './probe.ts'

export const ok = (detail: string): ProbeAnswer => ({ outcome: 'ok', detail })
export const skipped = (detail: string): ProbeAnswer => ({ outcome: 'skipped', detail })
export const limited = (detail: string, recommends?: ProbeAnswer['recommends']): ProbeAnswer =>
  recommends === undefined ? { outcome: 'limited', detail } : { outcome: 'limited', detail, recommends }
export const failed = (detail: string): ProbeAnswer => ({ outcome: 'failed', detail })

/** A one-chunk source of a text. */
export function textSource(text: string): ByteSource {
  return bytesSource(new TextEncoder().encode(text))
}

/** A one-chunk source. */
export async function* bytesSource(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes
}

const CHUNK = 262_144

/** `size` bytes that differ from block to block and do not compress; the same for the same seed. */
export async function* noise(size: number, seed: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < size; offset += CHUNK) yield noiseBlock(Math.min(CHUNK, size - offset), seed + offset)
}

function noiseBlock(size: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(size / 4))
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1
  for (let at = 0; at < words.length; at += 1) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[at] = state
  }
  return new Uint8Array(words.buffer, 0, size)
}

/** Whether the object holds exactly `noise(size, seed)`. Reads it once, in bounded memory. */
export async function holdsNoise(
  { store, call }: ProbeContext,
  key: string,
  { size, seed }: { readonly size: number; readonly seed: number },
): Promise<boolean> {
  await using body = await store.get(key, call)
  const expected = noise(size, seed)
  let block = new Uint8Array(0)
  let at = 0
  for await (const chunk of body) {
    for (let index = 0; index < chunk.length; index += 1) {
      if (at === block.length) {
        const next = await expected.next()
        if (next.done === true) return false
        block = new Uint8Array(next.value)
        at = 0
      }
      if (chunk[index] !== block[at]) return false
      at += 1
    }
  }
  return at === block.length && (await expected.next()).done === true
}

/** The text of a small object. */
export async function readText({ store, call }: ProbeContext, key: string): Promise<string> {
  return new TextDecoder().decode(await readAll(await store.get(key, call), 65_536))
}

/** The kind of the fault that `run` ends with; undefined when it succeeds. Anything that is no fault is thrown on. */
export async function faultKindOf(run: () => Promise<unknown>): Promise<FaultKind | undefined> {
  try {
    await run()
    return undefined
  } catch (error) {
    if (isFault(error)) return error.kind
    throw error
  }
}

/** Keys below a folder. */
export async function keysBelow({ store, call }: ProbeContext, prefix: string): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const { key } of store.list(prefix, call)) keys.push(key)
  return keys
}

/** Bytes per second in MiB, for people. */
export function rate(bytes: number, ms: number): string {
  return `${((bytes / 2 ** 20 / Math.max(ms, 1)) * 1000).toFixed(1)} MiB/s`
}

/** The middle one of some numbers. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
