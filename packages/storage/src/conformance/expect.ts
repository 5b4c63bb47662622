import { isFault, type Fault, type FaultKind } from '@waltz/errors'
import { concatBytes, type ByteRange } from '@waltz/bytes'
import type { ListOptions, ObjectInfo, ObjectStore } from '../object-store.ts'

/** Throws unless `condition` holds. */
export function expectThat(condition: boolean, message: string): void {
  if (!condition) throw new Error(message)
}

/** Throws unless both print alike; for names, numbers and lists of them. */
export function expectSame(actual: unknown, expected: unknown, what: string): void {
  const [left, right] = [print(actual), print(expected)]
  if (left !== right) throw new Error(`${what}: expected ${shorten(right)}, got ${shorten(left)}`)
}

/** Throws unless the arrays hold the same bytes. */
export function expectBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  expectSame(actual.length, expected.length, `${what}, length`)
  for (let index = 0; index < expected.length; index += 1) {
    if (actual[index] !== expected[index]) throw new Error(`${what}: byte ${index} is ${actual[index]}, expected ${expected[index]}`)
  }
}

/** Throws unless the two describe the same object. */
export function expectSameInfo(actual: ObjectInfo | undefined, expected: ObjectInfo, what: string): void {
  expectSame(describe(actual), describe(expected), what)
}

/** What `run` rejects with; throws when it resolves. */
export async function failureOf(run: () => Promise<unknown>, what: string): Promise<unknown> {
  try {
    await run()
  } catch (error) {
    return error
  }
  throw new Error(`${what}: expected a failure, but it succeeded`)
}

/** The fault of that kind that `run` rejects with; throws when it resolves or fails otherwise. */
export async function expectFault(kind: FaultKind, run: () => Promise<unknown>, what: string): Promise<Fault> {
  const error = await failureOf(run, what)
  if (!isFault(error)) throw new Error(`${what}: expected a Fault, got ${String(error)}`, { cause: error })
  if (error.kind !== kind)
    throw new Error(`${what}: expected a fault of kind ${kind}, got ${error.kind} ${error.code}: ${error.message}`, { cause: error })
  expectThat(/^[A-Z][A-Z0-9_]*$/.test(error.code) && error.message !== '', `${what}: the fault has no code or no message`)
  return error
}

/** Throws unless head, get and list all say that the key holds nothing. */
export async function expectAbsent(store: ObjectStore, key: string): Promise<void> {
  await expectFault('not-found', () => store.head(key), `head of ${key}`)
  await expectFault('not-found', () => store.get(key), `get of ${key}`)
  expectThat(!(await listKeys(store, key)).includes(key), `${key} is still listed`)
}

/** The whole of an object, or a range of it. */
export async function readBytes(store: ObjectStore, key: string, range?: ByteRange): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of await store.get(key, range === undefined ? {} : { range })) {
    expectThat(chunk.length > 0, 'an empty chunk was yielded')
    chunks.push(chunk)
  }
  return concatBytes(chunks)
}

/** The keys of a listing, as they come. */
export async function listKeys(store: ObjectStore, prefix: string, options?: ListOptions): Promise<string[]> {
  const keys: string[] = []
  for await (const info of store.list(prefix, options)) keys.push(info.key)
  return keys
}

/** The groups of a listing, as they come. */
export async function listGroupNames(store: ObjectStore, prefix: string): Promise<string[]> {
  const groups: string[] = []
  for await (const group of store.listGroups(prefix)) groups.push(group)
  return groups
}

/** Everything that an iterable gives. */
export async function collectAll<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

function describe(info: ObjectInfo | undefined): unknown {
  if (info === undefined) return undefined
  return [info.key, info.size, info.modifiedAt.getTime(), info.modifiedAtNs?.toString(), info.etag]
}

function print(value: unknown): string {
  return JSON.stringify(value, (_name, item: unknown) => (item === undefined ? 'undefined' : item))
}

function shorten(text: string): string {
  return text.length > 400 ? `${text.slice(0, 400)}...` : text
}
