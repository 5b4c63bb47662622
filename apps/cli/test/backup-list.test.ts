import { sourceOf } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import { createBackupCatalog, metadataKey, sentinelKey } from '@waltz/repository'
import { createMemoryStore } from '@waltz/storage/memory'
import { describe, expect, it } from 'vitest'
import type { Invocation } from '../src/command.ts'
import { renderBackupTable } from '../src/commands/backup-list.render.ts'
import type { TimeZone } from '../src/local-zone.ts'
import { runBackupList } from '../src/commands/backup-list.run.ts'

const [A, B] = ['base_00000001000000000000000A', 'base_00000001000000000000000B_D_00000001000000000000000A']

/** Runs the command on a repository in memory; objects are stored in the given order, a second apart, from 2026-01-01 UTC. */
async function list(
  objects: Readonly<Record<string, string>>,
  flags: Invocation['flags'],
): Promise<{ out: string; log: string[]; reads: string[] }> {
  let seconds = 0
  const memory = createMemoryStore({ now: () => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds++)) })
  for (const [key, text] of Object.entries(objects)) await memory.put(key, sourceOf(text))
  const reads: string[] = []
  const store = {
    ...memory,
    get: (async (key, options) => {
      reads.push(key)
      return await memory.get(key, options)
    }) satisfies typeof memory.get,
  }
  let out = ''
  const log: string[] = []
  const put = (text: string): void => void log.push(text)
  const catalog = createBackupCatalog(store)
  async function* inDefault(options?: { readonly signal?: AbortSignal }): AsyncGenerator<object> {
    for await (const backup of catalog.list(options)) yield { ...backup, storage: 'default' }
  }
  const invocation = {
    args: [],
    flags,
    json: flags['json'] === true,
    io: { stdout: (text: string) => void (out += text), signal: new AbortController().signal },
    log: { debug: put, info: put, warn: put, error: put },
    settings: {},
    openKit: async () => ({ backups: { ...catalog, list: inDefault }, storages: async () => [{ name: 'default' }] }),
  } as unknown as Invocation
  expect(await runBackupList(invocation)).toBe(0)
  return { out, log, reads }
}

const metadata = (start: string, other = ''): string =>
  `{"start_time":"${start}","finish_time":"${start}","date_fmt":"%Y","hostname":"h<1>","data_dir":"/pg data","pg_version":150020,"start_lsn":18446744073709551615,` +
  `"finish_lsn":0,"is_permanent":true,"system_identifier":null,"uncompressed_size":1,"compressed_size":2${other}}`

const utc: TimeZone = { offsetMinutesAt: () => 0, nameAt: () => 'UTC' }

describe('backup-list', () => {
  it('reads no object without --detail', async () => {
    const { out, reads } = await list({ [sentinelKey(A)]: 'not even JSON', [sentinelKey(B)]: '{}' }, {})
    expect(reads).toEqual([])
    const lines = out.split('\n')
    expect(lines).toHaveLength(4)
    expect(lines[0]).toMatch(/^backup_name +modified +wal_file_name +storage_name$/)
    expect(lines[1]).toMatch(new RegExp(`^${A} +\\S+ 00000001000000000000000A default$`))
    expect(lines[2]).toMatch(new RegExp(`^${B} \\S+ 00000001000000000000000B default$`))
  })

  it('says that there is nothing, on the log only', async () => {
    expect(await list({}, {})).toMatchObject({ out: '', log: ['List backups from storages: [default]', 'No backups found'] })
    expect(await list({}, { detail: true, pretty: true })).toMatchObject({ out: '' })
    expect(await list({}, { json: true, pretty: true, detail: true })).toMatchObject({
      out: '[]\n',
      log: ['List backups from storages: [default]'],
    })
  })

  it('orders details by start time if every backup has one', async () => {
    const both = {
      [metadataKey(A)]: metadata('2026-02-01T00:00:00Z'),
      [metadataKey(B)]: metadata('2026-01-01T00:00:00Z'),
      [sentinelKey(A)]: '{}',
      [sentinelKey(B)]: '{}',
    }
    const order = async (objects: Record<string, string>): Promise<string[]> =>
      [...(await list(objects, { detail: true })).out.matchAll(/^base_\S+/gm)].map(([name]) => name)
    expect(await order(both)).toEqual([B, A])
    expect(await order({ ...both, [metadataKey(B)]: '{}' })).toEqual([A, B])
  })

  it('keeps numbers exact and escapes text in JSON', async () => {
    const { out } = await list(
      {
        [metadataKey(A)]: metadata('2026-02-01T00:00:00.120+00:00', ',"user_data":{"b":12345678901234567890,"10":1.0,"9":"<"}'),
        [sentinelKey(A)]: '{}',
      },
      { detail: true, json: true },
    )
    expect(out).toContain('"start_time":"2026-02-01T00:00:00.12Z"')
    expect(out).toContain('"hostname":"h\\u003c1\\u003e"')
    expect(out).toContain('"start_lsn":18446744073709551615,"finish_lsn":0,"is_permanent":true,"system_identifier":null,')
    expect(out).toContain('"compressed_size":2,"user_data":{"10":1.0,"9":"\\u003c","b":12345678901234567890}}]\n')
  })

  it('fails naming the backup whose metadata is missing or damaged', async () => {
    const run = async (objects: Record<string, string>): Promise<unknown> =>
      await list(objects, { detail: true }).catch((error: unknown) => error)
    const missing = await run({ [sentinelKey(A)]: '{}' })
    expect(isFault(missing, 'not-found') && missing.message).toContain(A)
    const damaged = await run({ [sentinelKey(A)]: '{}', [metadataKey(A)]: '{' })
    expect(isFault(damaged, 'corrupt') && damaged.message).toContain(A)
  })

  it('shows "-" for a time that is not known, and offsets', () => {
    const summary = { name: A, walFileName: 'W', modifiedAt: new Date('2026-03-01T23:10:44Z'), storage: 'default' }
    const zone: TimeZone = { offsetMinutesAt: () => 180, nameAt: () => 'MSK' }
    expect(renderBackupTable([{ summary }], { detail: false, pretty: false, zone })).toContain(' 2026-03-02T02:10:44+03:00 W ')
    expect(renderBackupTable([{ summary }], { detail: false, pretty: true, zone })).toContain('| Monday, 02-Mar-26 02:10:44 MSK |')
    const row = (start: string, timeZone: TimeZone): string =>
      renderBackupTable(
        [
          {
            summary,
            metadata: {
              startTime: start,
              finishTime: '0001-01-01T00:00:00Z',
              dateFormat: '',
              hostname: '',
              dataDirectory: '',
              serverVersion: 0,
              startLsn: 0n,
              finishLsn: 0n,
              permanent: false,
              systemIdentifier: undefined,
              uncompressedBytes: 0,
              storedBytes: 0,
              userData: undefined,
            } as never,
          },
        ],
        { detail: true, pretty: true, zone: timeZone },
      )
    expect(row('2026-03-01T10:00:00+02:00', utc)).toContain('| Sunday, 01-Mar-26 10:00:00 +0200 | -           |')
    expect(row('2026-03-01T10:00:00Z', zone)).toContain('| Sunday, 01-Mar-26 10:00:00 UTC | -')
    expect(row('2026-03-01T10:00:00+03:00', zone)).toContain('| Sunday, 01-Mar-26 10:00:00 MSK | -')
  })
})
