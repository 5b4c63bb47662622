import { concatBytes, type ByteSource } from '@waltz/bytes'
import { isFault, type Fault } from '@waltz/errors'
import { encodeTarHeader, readTar, TAR_TRAILER, tarPaddingBytes, type ReadTarOptions, type TarEntry } from '../src/index.ts'

export const plainEntry: TarEntry = {
  name: '/base/5/1259',
  type: 'file',
  size: 0,
  mode: 0o600,
  uid: 70,
  gid: 71,
  userName: 'postgres',
  groupName: 'postgres',
  modifiedAtSeconds: 1_700_000_000,
}

export function entry(changes: Partial<TarEntry>): TarEntry {
  return { ...plainEntry, ...changes }
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value)
export const zeros = (count: number): Uint8Array => new Uint8Array(count)

/** A member with its padding. */
export function member(changes: Partial<TarEntry>, content: Uint8Array = zeros(0)): Uint8Array {
  return concatBytes([encodeTarHeader(entry({ size: content.length, ...changes })), content, zeros(tarPaddingBytes(content.length))])
}

export function archive(...members: readonly Uint8Array[]): Uint8Array {
  return concatBytes([...members, TAR_TRAILER])
}

/** The bytes in chunks whose sizes go round in `sizes`, each memory of its own. */
export async function* inChunks(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1)
    yield bytes.slice(at, at + size)
    at += size
  }
}

export interface Found {
  readonly entry: TarEntry
  readonly content: string
}

export async function list(source: ByteSource, options?: ReadTarOptions): Promise<Found[]> {
  const found: Found[] = []
  for await (const { entry, body } of readTar(source, options)) {
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    found.push({ entry, content: Buffer.concat(chunks).toString('latin1') })
  }
  return found
}

/** The fault that reading ends with; undefined when it ends well. */
export async function faultOf(bytes: Uint8Array, chunk = 700): Promise<Fault | undefined> {
  try {
    for await (const _ of readTar(inChunks(bytes, [chunk])));
    return undefined
  } catch (error) {
    if (isFault(error)) return error
    throw error
  }
}

/** A header whose bytes are changed and whose checksum is made to match again. */
export function withBytes(header: Uint8Array, at: number, bytes: Uint8Array | string): Uint8Array {
  const changed = header.slice()
  changed.set(typeof bytes === 'string' ? new Uint8Array(Buffer.from(bytes, 'latin1')) : bytes, at)
  changed.fill(0x20, 148, 156)
  let sum = 0
  for (const byte of changed.subarray(0, 512)) sum += byte
  changed.set(text(`${sum.toString(8).padStart(6, '0')}\0 `), 148)
  return changed
}
