import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Settings, SettingsTable } from '@waltz/settings'
import type { ObjectStore } from '@waltz/storage'
import { openBackend } from '../../src/open-backend.ts'
import type { StorageEvent } from '../../src/storage-context.ts'
import { repositoryView } from '../../src/storage-views.ts'
import type { KitSurroundings } from '../../src/surroundings.ts'
import { opening } from '../storage-settings.ts'
import { startRecordingServer, type Answering, type Recorded, type ServerCertificate } from './recording-server.ts'

/** Shows that the value of a setting reaches a storage, or changes what is done; throws when it does not. */
export type Proof = () => Promise<void> | void

/** Areas of the table whose settings are proven here. */
export const PROVEN_AREAS = ['storage', 's3', 'gcs', 'azure', 'oss', 'swift', 'ssh', 'failover'] as const
type Area = (typeof PROVEN_AREAS)[number]

/** The settings of an area that Waltz acts on: a new row without a proof is an error of types, and of the test that compares. */
export type KeysOf<Wanted extends Area> = {
  [Key in keyof Settings]: SettingsTable[Key]['area'] extends Wanted ? Key : never
}[keyof Settings]

/** What a test saw of a storage that was opened from settings. */
export interface Seen {
  readonly requests: readonly Recorded[]
  readonly events: readonly StorageEvent[]
  /** What the calls rejected with. */
  readonly error: unknown
  /** Times in milliseconds that were waited for, or would have been. */
  readonly waits: readonly number[]
}

/** What is done with a storage in a test. */
export type Act = (store: ObjectStore) => Promise<unknown>

/** Environment of a run, as a function of the recording server. */
export type Values = (url: string, port: number) => Readonly<Record<string, string>>

/** How a run is made. */
export interface Run {
  readonly act: Act
  readonly answering?: Answering | undefined
  readonly more?: Partial<KitSurroundings>
  /** For https. */
  readonly certificate?: ServerCertificate
  /** This wait is over at once. */
  readonly skipWait?: number
}

/** Opens the storage that the settings name, as commands do, with a recording server at hand, and does something with it. */
export async function seen(values: Values, { act, answering, more = {}, certificate, skipWait }: Run): Promise<Seen> {
  await using server = await startRecordingServer(answering, certificate)
  const { opening: opened, events } = opening({ ...values(server.url, server.port) }, more)
  const waits: number[] = []
  const { context } = opened
  const sleep: typeof context.sleep = (ms, signal) => {
    waits.push(ms)
    return context.sleep(ms === skipWait ? 0 : ms, signal)
  }
  let error: unknown
  try {
    const watched = { ...opened, context: { ...context, sleep } }
    await using store = repositoryView(await openBackend(watched), opened.settings, watched.context)
    await act(store)
  } catch (caught) {
    error = caught
  }
  return { requests: [...server.requests], events, error, waits }
}

/** Settings without those that are `undefined`. */
export type Given = Readonly<Record<string, string | undefined>>

export function present(given: Given): Record<string, string> {
  return Object.fromEntries(Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}

export function countOf({ requests }: Pick<Seen, 'requests'>, matching: RegExp): number {
  return requests.filter(({ method, url }) => matching.test(`${method} ${url}`)).length
}

export const put =
  (bytes = 10, key = 'key'): Act =>
  (store) =>
    store.put(key, bytesOf(bytes))
export const list: Act = async (store) => {
  for await (const _ of store.list('')) break
}
export const get: Act = async (store) => {
  for await (const _ of await store.get('key'));
}
export const remove =
  (...keys: string[]): Act =>
  (store) =>
    store.delete(keys)

/** So many bytes in chunks of a mebibyte. */
export async function* bytesOf(count: number): AsyncGenerator<Uint8Array> {
  for (let left = count; left > 0; left -= 1_048_576) yield new Uint8Array(Math.min(left, 1_048_576)).fill(7)
}

/** One header of the first request that matches; undefined where it is missing. */
export function headerOf({ requests }: Pick<Seen, 'requests'>, name: string, matching = /./): string | undefined {
  const found = requests.find(({ method, url }) => matching.test(`${method} ${url}`))
  if (found === undefined) throw new Error(`no request matches ${String(matching)}: ${linesOf({ requests }).join(', ')}`)
  const value = found.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

/** Methods and paths. */
export function linesOf({ requests }: Pick<Seen, 'requests'>): readonly string[] {
  return requests.map(({ method, url }) => `${method} ${url}`)
}

const folder = mkdtempSync(join(tmpdir(), 'kit-proofs-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

/** Writes a file that a setting names. */
export function fileOf(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

export function folderOf(name: string): string {
  mkdirSync(join(folder, name), { recursive: true })
  return join(folder, name)
}

/** A certificate for this machine that nobody trusts, and its file. Needs openssl. */
export function ownCertificate(name = 'own'): ServerCertificate & { readonly file: string } {
  const [file, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)]
  const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=${name} -addext subjectAltName=IP:127.0.0.1`
  execFileSync('openssl', [...words.split(' '), '-keyout', key, '-out', file], { stdio: 'ignore' })
  return { file, cert: readFileSync(file, 'utf8'), key: readFileSync(key, 'utf8') }
}

/** Milliseconds that something takes. */
export async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const since = performance.now()
  await work()
  return performance.now() - since
}

/** Runs with variables of the environment that a client reads by itself. */
export async function withEnvironment<Result>(values: Readonly<Record<string, string>>, work: () => Promise<Result>): Promise<Result> {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, values)
  try {
    return await work()
  } finally {
    for (const [name, value] of before)
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
  }
}
