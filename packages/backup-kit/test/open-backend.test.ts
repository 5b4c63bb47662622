import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readAll } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import { afterAll, describe, expect, it } from 'vitest'
import { kitSettings, openBackend, openBackupKit, openStore } from '../src/index.ts'
import { parseStorageAddress, tidyPath } from '../src/storage-address.ts'
import { opening, surroundings } from './storage-settings.ts'

const folder = mkdtempSync(join(tmpdir(), 'kit-backend-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text)
}

describe('a prefix', () => {
  it.each([
    ['s3://bucket/some/path', 'bucket', 'some/path'],
    ['s3://bucket', 'bucket', ''],
    ['s3://bucket/', 'bucket', ''],
    ['s3://bucket//a/b//', 'bucket', 'a/b'],
    ['whatever://bucket/a', 'bucket', 'a'],
    ['gs://my_bucket.x/a%20b/%C3%BC+c', 'my_bucket.x', 'a b/ü+c'],
    ['ssh://user:pw@host:22/abs?query#part', 'host:22', 'abs'],
  ])('%s', (text, host, path) => {
    expect(parseStorageAddress('X', text)).toEqual({ host, path })
  })

  it.each(['bucket/path', '/path', 's3:bucket', 's3:///path', 's3://bucket/%zz', 's3://bucket/%ff'])('%s is refused', (text) => {
    expect(() => parseStorageAddress('WALG_X_PREFIX', text)).toThrow(/^WALG_X_PREFIX /)
  })

  it('has single slashes inside where clients make them single', () => {
    expect(tidyPath('a//b///c')).toBe('a/b/c')
  })
})

describe('openBackend', () => {
  it('opens the first of WAL-G’s order and says which prefixes it passed over', async () => {
    const { opening: file } = opening({ WALG_FILE_PREFIX: folder, WALG_GS_PREFIX: 'gs://b', WALG_STORAGE_PREFIX: '/one//two/' })
    expect(await openBackend(file)).toMatchObject({ name: 'default', kind: 'file', prefix: 'one/two', ignored: ['WALG_GS_PREFIX'] })
  })

  it.each([
    [{ WALG_SWIFT_PREFIX: 'swift://box/x/y', OS_AUTH_URL: 'http://a/v3', OS_USERNAME: 'u', OS_PASSWORD: 'p' }, 'swift', 'x/y'],
    [
      {
        WALG_SWIFT_PREFIX: 'swift://box/x',
        OS_AUTH_URL: 'http://a/v3',
        OS_USERNAME: 'u',
        OS_PASSWORD: 'p',
        WALTZ_SWIFT_ENGINE: 'pkgcloud',
      },
      'swift',
      'x',
    ],
    [{ WALG_SSH_PREFIX: 'ssh://host/x/y', SSH_PASSWORD: 'x' }, 'ssh', ''],
    [{ WALG_GS_PREFIX: 'gs://box/x//y/', WALTZ_GCS_ANONYMOUS: 'true' }, 'gs', 'x/y'],
    [{ WALG_AZ_PREFIX: 'azure://box/x/y', AZURE_STORAGE_ACCOUNT: 'acc', AZURE_STORAGE_ACCESS_KEY: 'a2V5' }, 'az', 'x/y'],
    [{ WALG_S3_PREFIX: 's3://box/x//y/', AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's' }, 's3', 'x/y'],
    [{ WALG_OSS_PREFIX: 'oss://box/x', OSS_ACCESS_KEY_ID: 'k', OSS_ACCESS_KEY_SECRET: 's', OSS_REGION: 'r' }, 'oss', 'x'],
  ])('%o', async (values, kind, prefix) => {
    const backend = await openBackend(opening(values as unknown as Record<string, string>).opening)
    expect(backend).toMatchObject({ kind, prefix, ignored: [] })
    expect(typeof backend.store.maintenance.unfinishedUploads).toBe('function')
    expect(backend.store.location).not.toMatch(/undefined|a2V5/)
    await backend.store[Symbol.asyncDispose]()
  })

  it('refuses a prefix that GCS_NORMALIZE_PREFIX=false would keep as it is', async () => {
    const values = { WALG_GS_PREFIX: 'gs://box/x//y', WALTZ_GCS_ANONYMOUS: 'true', GCS_NORMALIZE_PREFIX: 'false' }
    await expect(openBackend(opening(values).opening)).rejects.toMatchObject({ kind: 'invalid', code: 'STORAGE_PREFIX_INVALID' })
  })

  it('refuses empty parts where clients keep them, and names the setting', async () => {
    const azure = { WALG_AZ_PREFIX: 'azure://box/x//y', AZURE_STORAGE_ACCOUNT: 'acc', AZURE_STORAGE_ACCESS_KEY: 'a2V5' }
    const swift = { WALG_SWIFT_PREFIX: 'swift://box/x//y', OS_STORAGE_URL: 'http://a/v1/x', OS_AUTH_TOKEN: 't' }
    for (const values of [azure, swift])
      await expect(openBackend(opening(values as unknown as Record<string, string>).opening)).rejects.toMatchObject({
        code: 'STORAGE_PREFIX_INVALID',
        message: expect.stringMatching(/^WALG_(AZ|SWIFT)_PREFIX has empty parts/) as string,
      })
  })

  it('names the settings when there is none', async () => {
    await expect(openBackend(opening({}).opening)).rejects.toMatchObject({ code: 'STORAGE_NOT_CONFIGURED' })
  })
})

describe('openStore', () => {
  it('shares one rate among all it moves', async () => {
    const store = await openStore(kitSettings({ WALG_FILE_PREFIX: folder, WALG_NETWORK_RATE_LIMIT: '100000' }), surroundings())
    const since = performance.now()
    await store.put('a', bytes('x'.repeat(180_000)))
    const info = await readAll(await store.get('a'), 1_000_000)
    expect(info.length).toBe(180_000)
    // 165 kB at once, the other 195 kB at 100 kB a second.
    expect(performance.now() - since).toBeGreaterThan(1500)
  })

  it('is what a kit has', async () => {
    const settings = kitSettings({ WALG_FILE_PREFIX: folder, WALG_STORAGE_PREFIX: 'below' })
    await using kit = await openBackupKit(settings, surroundings())
    await kit.store.put('k', bytes('x'))
    const [storage, ...others] = await kit.storages({ try: 'write' })
    expect(others).toEqual([])
    expect(storage).toMatchObject({ name: 'default', kind: 'file', alive: true })
    expect(storage?.location).toBe(kit.store.location)
    expect(await storage?.backend.store.head('below/k')).toMatchObject({ size: 1 })
    await expect(kit.storages({ names: ['other'] })).rejects.toMatchObject({ code: 'STORAGE_UNKNOWN' })
  })

  it('knows no storage of another name', async () => {
    const values = { WALG_FILE_PREFIX: folder, WALG_TARGET_STORAGE: 'second' }
    const refused = await openBackupKit(kitSettings(values), surroundings()).catch((error: unknown) => error)
    expect(isFault(refused, 'invalid')).toBe(true)
    for (const name of ['default', 'all', 'any']) await openBackupKit(kitSettings({ ...values, WALG_TARGET_STORAGE: name }), surroundings())
  })
})
