import type { SystemIdentifier } from '@waltz/pg-structures'
import { describe, expect, it } from 'vitest'
import { decodeClusterIdentity, decodeManifest, encodeClusterIdentity, encodeManifest, type BackupManifest } from '../src/index.ts'
import { faultOf } from './fault-of.ts'

const origin = 'waltz/x.json'
const tool = { name: 'waltz', version: '0.1.0' }
const sha256 = 'ab'.repeat(32)
const manifest: BackupManifest = {
  backup: 'base_000000010000000000000002',
  parts: [{ name: 'part_001.tar.lz4', size: 2 ** 40, sha256, payloadBytes: 2 ** 41 }],
  filesMetadata: { size: 10, sha256 },
  links: [{ path: '/postgresql.conf', target: '/etc/pg/<&>.conf' }],
  skipped: [{ path: '/base/5/t1_2', reason: 'temporary' }],
  warnings: ['archiving is off'],
  walPending: ['000000010000000000000002'],
  tool,
}

describe('manifest', () => {
  it('round trips', () => {
    const bytes = encodeManifest(manifest)
    expect(decodeManifest(bytes, { origin })).toEqual(manifest)
    expect(JSON.parse(new TextDecoder().decode(bytes))).toMatchObject({ version: 1, backup: manifest.backup, links: manifest.links })
    const bare: BackupManifest = { ...manifest, filesMetadata: undefined, links: [], skipped: [], warnings: [], walPending: [], parts: [] }
    expect(decodeManifest(encodeManifest(bare), { origin })).toEqual(bare)
  })

  it('takes absent lists as empty', () => {
    expect(decodeManifest('{"version":1,"backup":"b","later":1}', { origin })).toEqual({
      backup: 'b',
      parts: [],
      filesMetadata: undefined,
      links: [],
      skipped: [],
      warnings: [],
      walPending: [],
      tool: { name: '', version: '' },
    })
  })

  it.each([
    ['{"version":2,"backup":"b"}', 'unsupported', 'RECORD_VERSION_UNSUPPORTED', 'version 2'],
    ['{"backup":"b"}', 'corrupt', 'JSON_FIELD_INVALID', 'version must be there'],
    ['{"version":1}', 'corrupt', 'JSON_FIELD_INVALID', 'backup must be there'],
    ['{"version":1,"backup":"b","parts":[{"name":"p"}]}', 'corrupt', 'JSON_FIELD_INVALID', 'parts[0].sha256'],
    [
      `{"version":1,"backup":"b","parts":[{"name":"p","size":1,"payloadBytes":1,"sha256":"${sha256.toUpperCase()}"}]}`,
      'corrupt',
      'JSON_FIELD_INVALID',
      'sha256',
    ],
    ['{"version":1,"backup":"b","warnings":[1]}', 'corrupt', 'JSON_FIELD_INVALID', 'warnings'],
    ['{"version":1,"backup":"b","links":[7]}', 'corrupt', 'JSON_FIELD_INVALID', 'links[0]'],
    ['', 'corrupt', 'JSON_INVALID', origin],
  ])('refuses %s', async (json, kind, code, message) => {
    const fault = await faultOf(() => decodeManifest(json, { origin }))
    expect(fault).toMatchObject({ kind, code })
    expect(fault.message).toContain(message)
  })
})

describe('cluster identity', () => {
  const identity = {
    systemIdentifier: 18446744073709551615n as SystemIdentifier,
    createdAt: '2026-03-01T10:00:00.000Z',
    tool,
    encrypted: false,
  }

  it('round trips, with the identifier safe from rounding', () => {
    const bytes = encodeClusterIdentity(identity)
    expect(new TextDecoder().decode(bytes)).toContain('"systemIdentifier":"18446744073709551615"')
    expect(decodeClusterIdentity(bytes, { origin })).toEqual(identity)
  })

  it('says whether encrypted objects are stored, and leaves the member out where they are not', () => {
    const noted = encodeClusterIdentity({ ...identity, encrypted: true })
    expect(decodeClusterIdentity(noted, { origin }).encrypted).toBe(true)
    expect(new TextDecoder().decode(encodeClusterIdentity(identity))).not.toContain('encrypted')
  })

  it.each([
    '{"version":1,"createdAt":"2026-03-01T10:00:00Z"}',
    '{"version":1,"systemIdentifier":"18446744073709551616","createdAt":"2026-03-01T10:00:00Z"}',
    '{"version":1,"systemIdentifier":"-1","createdAt":"2026-03-01T10:00:00Z"}',
    '{"version":1,"systemIdentifier":7402951873649102847,"createdAt":"2026-03-01T10:00:00Z"}',
    '{"version":1,"systemIdentifier":"1","createdAt":"yesterday"}',
  ])('refuses %s', async (json) => {
    expect(await faultOf(() => decodeClusterIdentity(json, { origin }))).toMatchObject({ kind: 'corrupt', code: 'JSON_FIELD_INVALID' })
  })
})
