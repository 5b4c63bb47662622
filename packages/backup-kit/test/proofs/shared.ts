import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { afterCall, afterTrial, type StorageStatus } from '../../src/failover/aliveness.ts'
import { failoverSettings } from '../../src/failover/failover-settings.ts'
import { kitSettings, openBackupKit, type KitEvent } from '../../src/index.ts'
import { surroundings } from '../storage-settings.ts'
import { folderOf, headerOf, linesOf, present, put, seen, type Act, type Given, type KeysOf, type Proof, type Seen } from './proof.ts'
import { answersOfS3, slowly, startRecordingServer, type Answering } from './recording-server.ts'
import { trusts } from './s3.ts'

const KEYS = { AWS_ACCESS_KEY_ID: 'KEYNAME', AWS_SECRET_ACCESS_KEY: 'secret', WALTZ_S3_PROVIDER: 'minio', AWS_S3_FORCE_PATH_STYLE: 'true' }

const s3 = (given: Given, act: Act = put(), answering: Answering = answersOfS3()): Promise<Seen> =>
  seen((url) => present({ WALG_S3_PREFIX: 's3://bucket/folder', AWS_ENDPOINT: url, ...KEYS, S3_MAX_RETRIES: '0', ...given }), {
    act,
    answering,
  })

/** A store at a host that does not exist, with the recording server as a proxy under this setting. */
const proxied = (setting: string, endpoint: string, more: Given = {}): Promise<Seen> =>
  seen(
    (url) =>
      present({
        WALG_S3_PREFIX: 's3://bucket/folder',
        AWS_ENDPOINT: endpoint,
        ...KEYS,
        S3_MAX_RETRIES: '0',
        [setting]: url.replace('//', '//some%20one:pass%2Fword@'),
        ...more,
      }),
    { act: put(), answering: answersOfS3() },
  )

const PLAIN = 'http://s3.invalid'

/** What all storages have in common, and where the repository is. */
export const sharedProofs: Readonly<Record<KeysOf<'storage'> | 'uploadConcurrency' | 'storageMaxBytesInFlight', Proof>> = {
  async filePrefix() {
    for (const form of [(path: string) => path, (path: string) => `file://localhost${path}`, (path: string) => `file://${path}`]) {
      const folder = folderOf('file prefix')
      const { error } = await seen(() => ({ WALG_FILE_PREFIX: form(folder) }), { act: put(5, `a/${form('').length}`) })
      expect(error).toBeUndefined()
      expect(readFileSync(join(folder, 'a', String(form('').length)))).toHaveLength(5)
    }
    expect(() => kitSettings({ WALG_FILE_PREFIX: 'relative/folder' })).toThrow(/must be an absolute path/)
    expect(() => kitSettings({ WALG_FILE_PREFIX: 'file://host/folder' })).toThrow(/not the address of another kind of storage/)
  },
  async storagePrefix() {
    const folder = folderOf('storage prefix')
    await seen(() => ({ WALE_FILE_PREFIX: folder, WALG_STORAGE_PREFIX: '/cluster//one/' }), { act: put() })
    expect(existsSync(join(folder, 'cluster/one/key'))).toBe(true)
    expect(linesOf(await s3({ WALG_STORAGE_PREFIX: 'one' }))[0]).toMatch(/^PUT \/bucket\/folder\/one\/key/)
  },
  async storageIdleTimeout() {
    const since = performance.now()
    const { error } = await s3(
      { WALTZ_STORAGE_IDLE_TIMEOUT: '200ms' },
      (store) => store.head('key'),
      () => undefined,
    )
    expect(error).toMatchObject({ code: 'STORAGE_STALLED' })
    expect(performance.now() - since).toBeLessThan(5000)
  },
  async storageConnectTimeout() {
    expect((await s3({ WALTZ_STORAGE_CONNECT_TIMEOUT: '1234ms', AWS_ENDPOINT: 'http://127.0.0.1:9' })).waits).toContain(1234)
  },
  async storageMaxRetries() {
    const tried = async (WALTZ_STORAGE_MAX_RETRIES: string | undefined): Promise<number> => {
      const run = await seen(
        (url) =>
          present({
            WALG_AZ_PREFIX: 'azure://box',
            WALTZ_AZURE_ENDPOINT: `${url}/acc`,
            AZURE_STORAGE_ACCOUNT: 'acc',
            AZURE_STORAGE_ACCESS_KEY: 'a2V5',
            WALTZ_STORAGE_MAX_RETRIES,
          }),
        { act: (store) => store.head('key'), answering: () => ({ status: 500 }) },
      )
      return run.requests.length
    }
    expect([await tried('0'), await tried('2')]).toEqual([1, 3])
  },
  async caFile() {
    await trusts('WALTZ_CA_FILE')
  },
  async httpProxy() {
    const run = await proxied('WALTZ_HTTP_PROXY', PLAIN, { HTTP_PROXY: 'http://127.0.0.1:9', HTTPS_PROXY: 'http://127.0.0.1:9' })
    expect(linesOf(run)[0]).toMatch(/^PUT http:\/\/s3\.invalid\/bucket\/folder\/key/)
    expect(headerOf(run, 'proxy-authorization')).toBe(`Basic ${Buffer.from('some one:pass/word').toString('base64')}`)
  },
  async noProxy() {
    const run = await proxied('WALTZ_HTTP_PROXY', PLAIN, { WALTZ_NO_PROXY: '.invalid', NO_PROXY: 'elsewhere' })
    expect(run.requests).toEqual([])
    expect(run.error).toMatchObject({ kind: 'unavailable' })
    expect((await proxied('WALTZ_HTTP_PROXY', PLAIN, { WALTZ_NO_PROXY: 'elsewhere', NO_PROXY: '.invalid' })).requests).not.toEqual([])
  },
  async systemHttpProxy() {
    for (const name of ['HTTP_PROXY', 'http_proxy']) expect(linesOf(await proxied(name, PLAIN))[0]).toMatch(/^PUT http:\/\/s3\.invalid/)
    expect((await proxied('HTTP_PROXY', 'https://s3.invalid')).requests).toEqual([])
  },
  async systemHttpsProxy() {
    for (const name of ['HTTPS_PROXY', 'https_proxy'])
      expect(linesOf(await proxied(name, 's3.invalid:444'))[0]).toBe('CONNECT s3.invalid:444')
    expect((await proxied('HTTPS_PROXY', PLAIN)).requests).toEqual([])
  },
  async systemNoProxy() {
    for (const name of ['NO_PROXY', 'no_proxy']) expect((await proxied('HTTP_PROXY', PLAIN, { [name]: 's3.invalid' })).requests).toEqual([])
  },
  async uploadConcurrency() {
    expect(await mostParts({ UPLOAD_CONCURRENCY: '2' })).toBe(2)
    expect(await mostParts({ WALG_UPLOAD_CONCURRENCY: '1' })).toBe(1)
  },
  async storageMaxBytesInFlight() {
    // Two parts of 5 MiB fit, however many may be in flight.
    expect(await mostParts({ WALG_UPLOAD_CONCURRENCY: '16', WALTZ_STORAGE_MAX_BYTES_IN_FLIGHT: '11mb' })).toBeLessThanOrEqual(2)
  },
}

async function mostParts(given: Given): Promise<number> {
  const slow = slowly(/partNumber/, 80, answersOfS3())
  const run = await s3({ S3_MAX_PART_SIZE: '5242880', ...given }, put(3 * 5_242_880), slow.answering)
  expect(run.error).toBeUndefined()
  return slow.most()
}

interface Several {
  readonly lines: readonly string[]
  readonly bodies: ReadonlyMap<string, number>
  readonly events: readonly KitEvent[]
  readonly error: unknown
}

const CONTENT = '1\t0/3000000\tno recovery target specified\n'
let homes = 0

/** Archives a file into the first of several storages: one in S3 at the recording server, and two in folders. */
async function archived(
  given: Given,
  { answering = answersOfS3(), home = `home ${(homes += 1)}` }: { readonly answering?: Answering; readonly home?: string } = {},
): Promise<Several> {
  await using server = await startRecordingServer(answering)
  const further = { a: { WALG_FILE_PREFIX: folderOf(`${home} a`) }, b: { WALG_FILE_PREFIX: folderOf(`${home} b`) } }
  const settings = kitSettings(
    present({
      WALG_S3_PREFIX: 's3://bucket/folder',
      AWS_ENDPOINT: server.url,
      ...KEYS,
      S3_MAX_RETRIES: '0',
      WALG_COMPRESSION_METHOD: 'none',
      WALG_FAILOVER_STORAGES: JSON.stringify(further),
      ...given,
    }),
  )
  const events: KitEvent[] = []
  let error: unknown
  try {
    await using kit = await openBackupKit(settings, surroundings({ home: folderOf(home), observe: (event) => events.push(event) }))
    const archive = await kit.openWal()
    await archive.push('0000ABCD.history', () => text(CONTENT), { size: CONTENT.length })
  } catch (caught) {
    error = caught
  }
  return {
    lines: linesOf(server),
    bodies: new Map(
      server.requests.filter(({ method }) => method === 'PUT').map(({ url, body }) => [url.replace(/\?.*/, ''), body.length]),
    ),
    events,
    error,
  }
}

async function* text(content: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(content)
}

const chosenIn = ({ events }: Several): string | undefined =>
  events.flatMap((event) => (event.type === 'storage-chosen' ? [event.storage] : []))[0]
const warningsIn = ({ events }: Several): string =>
  events.flatMap((event) => (event.type === 'storage-warning' ? [event.message] : [])).join('\n')
const TRIAL = /wal-g_storage_check/
const EMA = 'WALG_FAILOVER_STORAGES_CACHE_EMA_'

/** What one call makes of a status, with these limits. */
function after(given: Record<string, string>, status: StorageStatus, ok: boolean): StorageStatus {
  const { limits } = failoverSettings(kitSettings(Object.fromEntries(Object.entries(given).map(([name, value]) => [EMA + name, value]))))
  return afterCall(status, { weight: 1000, ok, atMs: 1 }, limits)
}
const ALIVE: StorageStatus = { potential: 1000, actual: 1000, alive: true, updatedMs: 0 }
const dying = (actual: number): StorageStatus => ({ ...ALIVE, actual })
const DEAD: StorageStatus = { ...ALIVE, actual: 0, alive: false }

/** Every setting for several storages. */
export const failoverProofs: Readonly<Record<KeysOf<'failover'>, Proof>> = {
  async failoverStorages() {
    const refusing = await archived({}, { answering: () => ({ status: 403 }) })
    expect(chosenIn(refusing)).toBe('a')
    expect(refusing.error).toBeUndefined()
  },
  async targetStorage() {
    const run = await archived({ WALG_TARGET_STORAGE: 'b' })
    expect(chosenIn(run)).toBe('b')
    expect(run.lines.filter((line) => line.includes('history'))).toEqual([])
  },
  async failoverIgnore() {
    expect(chosenIn(await archived({ WALTZ_FAILOVER_IGNORE: 'default, a' }))).toBe('b')
  },
  async failoverStoragesCheck() {
    expect((await archived({})).lines.some((line) => TRIAL.test(line))).toBe(true)
    expect((await archived({ WALG_FAILOVER_STORAGES_CHECK: 'false' })).lines.filter((line) => TRIAL.test(line))).toEqual([])
  },
  async failoverStoragesCheckTimeout() {
    const run = await archived({ WALG_FAILOVER_STORAGES_CHECK_TIMEOUT: '150ms' }, { answering: () => undefined })
    expect(warningsIn(run)).toContain('no answer within 150 ms')
    expect(chosenIn(run)).toBe('a')
  },
  async failoverStoragesCheckSize() {
    const sizes = async (given: Given): Promise<readonly number[]> =>
      [...(await archived(given)).bodies].filter(([path]) => TRIAL.test(path)).map(([, bytes]) => bytes)
    expect(await sizes({ WALG_FAILOVER_STORAGES_CHECK_SIZE: '3kb' })).toEqual([3072])
    expect(await sizes({})).toEqual([1_048_576])
  },
  async failoverStoragesCacheLifetime() {
    const trialsOfSecondRun = async (given: Given): Promise<number> => {
      const home = `home ${(homes += 1)}`
      // The endpoint has another port in the second run, which would be another storage: it is only named, not asked.
      const answering = answersOfS3()
      await using server = await startRecordingServer(answering)
      const own = { AWS_ENDPOINT: server.url, ...given }
      await archived(own, { home })
      const before = server.requests.length
      await archived(own, { home })
      return server.requests.slice(before).filter(({ url }) => TRIAL.test(url)).length
    }
    expect(await trialsOfSecondRun({})).toBe(0)
    expect(await trialsOfSecondRun({ WALG_FAILOVER_STORAGES_CACHE_LIFETIME: '0' })).toBeGreaterThan(0)
  },
  failoverStoragesCacheEmaAliveLimit() {
    const better = { ...DEAD, actual: 600 }
    expect(after({ ALIVE_LIMIT: '0.6', DEAD_LIMIT: '0.5' }, better, true).alive).toBe(true)
    expect(after({}, better, true).alive).toBe(false)
  },
  failoverStoragesCacheEmaDeadLimit() {
    expect(after({ DEAD_LIMIT: '0.4' }, dying(880), false).alive).toBe(true)
    expect(after({}, dying(880), false).alive).toBe(false)
  },
  failoverStoragesCacheEmaAlphaAliveMax() {
    // At the limit of death one failure counts most: 880 x (1 - 0.05), or x (1 - 0.2).
    expect(after({}, dying(880), false).actual).toBeCloseTo(836)
    expect(after({ ALPHA_ALIVE_MAX: '0.2' }, dying(880), false).actual).toBeCloseTo(704)
  },
  failoverStoragesCacheEmaAlphaAliveMin() {
    expect(after({}, ALIVE, false).actual).toBeCloseTo(990)
    expect(after({ ALPHA_ALIVE_MIN: '0.04' }, ALIVE, false).actual).toBeCloseTo(960)
  },
  failoverStoragesCacheEmaAlphaDeadMax() {
    expect(after({}, DEAD, true).actual).toBeCloseTo(500)
    expect(after({ ALPHA_DEAD_MAX: '0.8' }, DEAD, true).actual).toBeCloseTo(800)
  },
  failoverStoragesCacheEmaAlphaDeadMin() {
    const nearly = { ...DEAD, actual: 990 }
    expect(after({}, nearly, false).actual).toBeCloseTo(891)
    expect(after({ ALPHA_DEAD_MIN: '0.3' }, nearly, false).actual).toBeCloseTo(693)
    expect(afterTrial(nearly, true, 1).actual).toBe(1000)
  },
}
