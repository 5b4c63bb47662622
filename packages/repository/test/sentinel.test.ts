import { readdirSync, readFileSync } from 'node:fs'
import type { Lsn, SystemIdentifier } from '@waltz/pg-structures'
import { describe, expect, it } from 'vitest'
import {
  decodeMetadata,
  decodeSentinel,
  decodeTablespaceSpec,
  encodeMetadata,
  encodeSentinel,
  encodeTablespaceSpec,
  parseJson,
  parseRestoreSpec,
  ZERO_TIMESTAMP,
  type Sentinel,
} from '../src/index.ts'
import { faultOf } from './fault-of.ts'

const folder = new URL('fixtures/', import.meta.url)
const origin = 'basebackups_005/b_backup_stop_sentinel.json'
const fixture = (name: string): string => readFileSync(new URL(name, folder), 'utf8')
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const roundTrip = (json: string): string => text(encodeSentinel(decodeSentinel(json, { origin })))

const FULL: Sentinel = {
  startLsn: 33554472n as Lsn,
  finishLsn: 33554744n as Lsn,
  increment: undefined,
  serverVersion: 150020,
  systemIdentifier: 7402951873649102847n as SystemIdentifier,
  uncompressedBytes: 24512201,
  storedBytes: 4102377,
  dataDirectoryBytes: 24651022,
  tablespaces: undefined,
  userData: undefined,
  filesMetadataDisabled: false,
  version: 2,
  startTime: '2026-03-01T10:00:00.123457Z',
  finishTime: '2026-03-01T10:00:04.5Z',
  hostname: 'db<1>',
  dataDirectory: '/var/lib/postgresql/15/main',
  permanent: false,
}

describe('sentinel', () => {
  const ofThisRelease = readdirSync(folder).filter((name) => name.endsWith('.sentinel') && !name.startsWith('release-'))

  it.each(ofThisRelease)('%s comes out as WAL-G wrote it', (name) => {
    expect(roundTrip(fixture(name))).toBe(fixture(name))
  })

  it('keeps what older releases wrote, in the present form', () => {
    for (const name of ['release-2.0.1.sentinel', 'release-3.0.3.sentinel']) {
      const old = fixture(name)
      const present = old.replace(/"Spec":null,/, '').replace(/(?:"ChkpNum":null,)?"Version"/, '"ChkpNum":null,"Version"')
      expect(roundTrip(old)).toBe(present)
    }
  })

  it('is written with the keys and omissions of the format', () => {
    expect(text(encodeSentinel(FULL))).toBe(
      '{"LSN":33554472,"PgVersion":150020,"FinishLSN":33554744,"SystemIdentifier":7402951873649102847,"UncompressedSize":24512201,' +
        '"CompressedSize":4102377,"DataCatalogSize":24651022,"ChkpNum":null,"Version":2,"StartTime":"2026-03-01T10:00:00.123457Z",' +
        '"FinishTime":"2026-03-01T10:00:04.5Z","DateFmt":"%Y-%m-%dT%H:%M:%S.%fZ","Hostname":"db\\u003c1\\u003e",' +
        '"DataDir":"/var/lib/postgresql/15/main","IsPermanent":false}',
    )
    const other: Sentinel = {
      ...FULL,
      startLsn: undefined,
      finishLsn: undefined,
      systemIdentifier: undefined,
      increment: { parentLsn: (1n << 63n) as Lsn, parent: 'base_B_D_A', root: 'base_A', depth: 2 },
      dataDirectoryBytes: 0,
      tablespaces: {
        basePrefix: '/pg',
        tablespaces: [
          { name: '9999', location: '/ts 1', link: 'pg_tblspc/9999' },
          { name: '16400', location: '/ts2', link: 'pg_tblspc/16400' },
        ],
      },
      userData: { b: 1n << 64n, a: '<' },
      filesMetadataDisabled: true,
      hostname: '',
      permanent: true,
    }
    expect(text(encodeSentinel(other))).toBe(
      '{"LSN":null,"DeltaLSN":9223372036854775808,"DeltaFrom":"base_B_D_A","DeltaFullName":"base_A","DeltaCount":2,"PgVersion":150020,' +
        '"FinishLSN":null,"UncompressedSize":24512201,"CompressedSize":4102377,' +
        '"Spec":{"16400":{"loc":"/ts2","link":"pg_tblspc/16400"},"9999":{"loc":"/ts 1","link":"pg_tblspc/9999"},"base_prefix":"/pg","tablespaces":["9999","16400"]},' +
        '"UserData":{"a":"\\u003c","b":18446744073709551616},"FilesMetadataDisabled":true,"ChkpNum":null,"Version":2,' +
        '"StartTime":"2026-03-01T10:00:00.123457Z","FinishTime":"2026-03-01T10:00:04.5Z","DateFmt":"%Y-%m-%dT%H:%M:%S.%fZ","Hostname":"",' +
        '"DataDir":"/var/lib/postgresql/15/main","IsPermanent":true}',
    )
    expect(decodeSentinel(encodeSentinel(other), { origin })).toEqual(other)
  })

  it('is read in its V1 form, with the file list inside', () => {
    const sentinel = decodeSentinel(fixture('release-1.1-shortened.sentinel'), { origin })
    expect(sentinel).toMatchObject({
      startLsn: 18874408n,
      version: undefined,
      embeddedFiles: true,
      startTime: undefined,
      tablespaces: undefined,
      systemIdentifier: 7710388495305673385n,
      increment: { parentLsn: 16777256n, parent: 'base_000000010000000000000010', root: 'base_000000010000000000000010', depth: 1 },
    })
  })

  it('is read with WAL-E names, any letter case, null and missing fields', () => {
    const walE = '{"spec":{"base_prefix":"/pg/","tablespaces":["1"],"1":{"loc":"/t/","link":"pg_tblspc/1"}},"pgversion":90400,"LSN":null}'
    expect(decodeSentinel(walE, { origin })).toMatchObject({
      startLsn: undefined,
      serverVersion: 90400,
      tablespaces: { basePrefix: '/pg', tablespaces: [{ name: '1', location: '/t', link: 'pg_tblspc/1' }] },
    })
    expect(decodeSentinel('{}', { origin })).toMatchObject({ increment: undefined, permanent: false, hostname: '', userData: undefined })
  })

  it('keeps OrioleDB checkpoints', () => {
    const orioleDb: Sentinel = { ...FULL, checkpointNumber: 7, parentCheckpointNumber: 0 }
    expect(text(encodeSentinel(orioleDb))).toContain('"ChkpNum":7,"DeltaChkpNum":0,"Version":2')
    expect(decodeSentinel(encodeSentinel(orioleDb), { origin })).toEqual(orioleDb)
  })

  it.each([
    ['not JSON', 'LSN', 'JSON_INVALID'],
    ['no object', '[1]', 'JSON_FIELD_INVALID'],
    ['an LSN as text', '{"LSN":"0/2000028"}', 'JSON_FIELD_INVALID'],
    ['an LSN beyond 64 bits', '{"LSN":18446744073709551616}', 'JSON_FIELD_INVALID'],
    ['a negative identifier', '{"SystemIdentifier":-1}', 'JSON_FIELD_INVALID'],
    ['a fraction', '{"PgVersion":1.5}', 'JSON_FIELD_INVALID'],
    ['half an increment', '{"DeltaFrom":"base_A","DeltaLSN":1}', 'SENTINEL_INCONSISTENT'],
    ['a tablespace without an entry', '{"Spec":{"base_prefix":"/pg","tablespaces":["1"]}}', 'TABLESPACE_SPEC_INVALID'],
  ])('with %s is refused as corrupt', async (_what, json, code) => {
    const fault = await faultOf(() => decodeSentinel(json, { origin }))
    expect(fault).toMatchObject({ kind: 'corrupt', code, context: { key: origin } })
    expect(fault.message).toContain(origin)
  })
})

describe('metadata.json', () => {
  it.each(['full.metadata', 'user-data.metadata'])('%s comes out as WAL-G wrote it', (name) => {
    expect(text(encodeMetadata(decodeMetadata(fixture(name), { origin })))).toBe(fixture(name))
  })

  it('keeps large numbers in user data and writes a null identifier', () => {
    const metadata = { ...decodeMetadata('{}', { origin }), userData: parseJson('{"n":12345678901234567890,"f":1.0}', { origin }) }
    const json = text(encodeMetadata(metadata))
    expect(json).toContain('"system_identifier":null')
    expect(json).toContain('"user_data":{"f":1.0,"n":12345678901234567890}')
    expect(metadata).toMatchObject({ startTime: ZERO_TIMESTAMP, startLsn: 0n, permanent: false })
    expect(text(encodeMetadata({ ...metadata, userData: undefined }))).not.toContain('user_data')
  })

  it('is refused when a time is none', async () => {
    expect(await faultOf(() => decodeMetadata('{"start_time":"yesterday"}', { origin }))).toMatchObject({ code: 'JSON_FIELD_INVALID' })
  })

  it('is refused when a field has another type', async () => {
    expect(await faultOf(() => decodeMetadata('{"is_permanent":"yes"}', { origin }))).toMatchObject({
      kind: 'corrupt',
      code: 'JSON_FIELD_INVALID',
      context: { field: 'is_permanent' },
    })
  })
})

describe('tablespace spec', () => {
  const spec = '{"base_prefix":"/pg","tablespaces":["16400"],"16400":{"loc":"/new/place/","link":"pg_tblspc/16400"},"other":1}'

  it('is read from a restore spec and written back', () => {
    const parsed = parseRestoreSpec(spec, { origin: 'restore.json' })
    expect(parsed).toEqual({ basePrefix: '/pg', tablespaces: [{ name: '16400', location: '/new/place', link: 'pg_tblspc/16400' }] })
    const written = encodeTablespaceSpec(parsed)
    expect(written).toBe('{"16400":{"loc":"/new/place","link":"pg_tblspc/16400"},"base_prefix":"/pg","tablespaces":["16400"]}')
    expect(parseRestoreSpec(written, { origin })).toEqual(parsed)
  })

  it('may be empty', () => {
    expect(decodeTablespaceSpec({ base_prefix: '/pg', tablespaces: null }, { origin })).toEqual({ basePrefix: '/pg', tablespaces: [] })
    expect(encodeTablespaceSpec({ basePrefix: '/pg', tablespaces: [] })).toBe('{"base_prefix":"/pg","tablespaces":[]}')
  })

  it.each([
    ['not JSON', '{', 'is not valid JSON'],
    ['no object', '[]', 'must be an object'],
    ['no base_prefix', '{"tablespaces":[]}', 'base_prefix is missing'],
    ['a name that is no string', '{"base_prefix":"/pg","tablespaces":[16400]}', 'array of names'],
    ['a name without an entry', '{"base_prefix":"/pg","tablespaces":["toString"]}', '"toString" is listed but has no entry'],
    ['a location that is no string', spec.replace('"/new/place/"', '7'), 'loc must be an absolute path'],
    ['a relative location', spec.replace('/new', 'new'), 'loc must be an absolute path'],
    ['a link elsewhere', spec.replace('pg_tblspc/16400', '../etc'), 'link must be pg_tblspc/'],
    ['a link to the parent', spec.replace('pg_tblspc/16400', 'pg_tblspc/..'), 'link must be pg_tblspc/'],
  ])('with %s is refused', async (_what, json, message) => {
    const fault = await faultOf(() => parseRestoreSpec(json, { origin: '/tmp/restore.json' }))
    expect(fault).toMatchObject({ kind: 'invalid', code: 'TABLESPACE_SPEC_INVALID' })
    expect(fault.message).toContain('/tmp/restore.json')
    expect(fault.message).toContain(message)
  })
})
