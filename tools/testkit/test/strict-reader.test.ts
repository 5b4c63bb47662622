import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { checkRepositoryStrictly, programExists, temporaryFolder } from '../src/index.ts'
import { createXxh32 } from '../src/strict/xxh32.ts'
import { openObject } from '../src/strict/open-object.ts'
import {
  encode,
  modelRepository,
  segment,
  tarHeader,
  writeModel,
  type Model,
  type ModelMember,
  type ModelTar,
} from './strict/model-repository.ts'

async function check(model: Model): Promise<readonly string[]> {
  await using folder = temporaryFolder()
  writeModel(model, folder.path)
  return (await checkRepositoryStrictly(folder.path)).problems
}

test.each(['', 'lz4', 'zst', 'br'] as const)('a right repository with the suffix "%s" is clean', async (suffix) => {
  expect(await check(modelRepository(suffix))).toEqual([])
})

const LABEL_TAR = 'backup_label.tar'
const FILES = 'files_metadata.json'
const SENTINEL = 'sentinel.json'

/** A tar of the model. */
function tarOf(model: Model, name: string): ModelTar {
  const tar = model.tars[name]
  if (tar === undefined) throw new Error(`the model has no ${name}`)
  return tar
}

const members = (model: Model, name = 'part_001.tar'): ModelMember[] => tarOf(model, name).members
const firstMember = (model: Model, name: string): ModelMember => members(model, name).at(0) ?? { name: '' }
const lastMember = (model: Model): ModelMember => members(model).at(-1) ?? { name: '' }

const damages: readonly (readonly [string, (model: Model) => void, RegExp])[] = [
  // Sentinel
  ['a missing sentinel key', (m) => delete m.sentinel['FinishLSN'], /sentinel: the key FinishLSN is missing/],
  ['a key of ours', (m) => (m.sentinel['WaltzHash'] = 'x'), /WaltzHash is a key that WAL-G does not write/],
  ['a key in other case', (m) => (m.sentinel['hostname'] = 'x'), /hostname is a key/],
  ['an LSN as text', (m) => (m.sentinel['LSN'] = '2097192'), /LSN is not an unsigned 64-bit integer/],
  ['a negative system identifier', (m) => (m.sentinel['SystemIdentifier'] = -1n), /SystemIdentifier is not an unsigned/],
  [
    'a system identifier rounded by floating point',
    (m) => (m.sentinel['SystemIdentifier'] = 7_402_951_873_649_102_848n),
    /system_identifier differs/,
  ],
  ['a null FinishLSN', (m) => (m.sentinel['FinishLSN'] = null), /FinishLSN is not/],
  ['version 1', (m) => (m.sentinel['Version'] = 1), /Version is not 2/],
  ['a time with an offset', (m) => (m.sentinel['StartTime'] = '2026-03-01T13:00:00+03:00'), /StartTime is not a UTC time/],
  ['a time with nanoseconds', (m) => (m.sentinel['StartTime'] = '2026-03-01T10:00:00.123456789Z'), /StartTime is not a UTC time/],
  ['a time with zeros at its end', (m) => (m.sentinel['FinishTime'] = '2026-03-01T10:00:04.500Z'), /FinishTime is not a UTC time/],
  ['a finish before the start', (m) => (m.sentinel['FinishTime'] = '2026-03-01T09:00:04.5Z'), /StartTime lies behind/],
  ['one delta field alone', (m) => (m.sentinel['DeltaLSN'] = 1), /only DeltaLSN of the four/],
  ['FilesMetadataDisabled false', (m) => (m.sentinel['FilesMetadataDisabled'] = false), /FilesMetadataDisabled is not true/],
  ['a wrong uncompressed size', (m) => (m.sentinel['UncompressedSize'] = 7), /UncompressedSize is 7, the members have/],
  ['an empty Spec', (m) => (m.sentinel['Spec'] = { base_prefix: '/srv/pg', tablespaces: [] }), /tablespaces is empty/],
  ['a Spec entry without location', (m) => (m.sentinel['Spec'] = { base_prefix: '/srv/pg', tablespaces: ['16400'] }), /16400: loc is not/],
  ['a tablespace outside the Spec', (m) => delete m.sentinel['Spec'], /"\/pg_tblspc\/16400" has no entry and is no tablespace/],
  ['a name of another LSN', (m) => (m.sentinel['LSN'] = 900_000_000), /the name does not belong to LSN/],
  [
    'a sentinel that is no JSON',
    (m) => (m.text = (path, json) => (path.endsWith(SENTINEL) ? json.slice(1) : json)),
    /sentinel: more text|sentinel: no JSON/,
  ],
  [
    'two keys alike',
    (m) => (m.text = (path, json) => (path.endsWith(SENTINEL) ? json.replace('{', '{"LSN":1,') : json)),
    /the key "LSN" twice/,
  ],
  [
    'a pretty sentinel',
    (m) => (m.text = (path, json) => (path.endsWith(SENTINEL) ? json.replaceAll(',', ', ') : json)),
    /sentinel: a broken string/,
  ],
  [
    'a newline at the end',
    (m) => (m.text = (path, json) => (path.endsWith(SENTINEL) ? `${json}\n` : json)),
    /more text after the document/,
  ],
  ['a byte order mark', (m) => (m.text = (path, json) => (path.endsWith(SENTINEL) ? `\uFEFF${json}` : json)), /sentinel: no JSON value/],
  // metadata.json
  ['a missing metadata.json', (m) => (m.objects[`basebackups_005/${m.name}/metadata.json`] = undefined), /metadata.json: is missing/],
  ['a metadata key missing', (m) => delete m.metadata['data_dir'], /metadata.json: the key data_dir is missing/],
  ['a metadata value of its own', (m) => (m.metadata['start_lsn'] = 2_097_193), /start_lsn differs from the sentinel's LSN/],
  ['a metadata text for a flag', (m) => (m.metadata['is_permanent'] = 'no'), /is_permanent is not true or false/],
  // files_metadata.json
  ['no files_metadata.json', (m) => (m.objects[`basebackups_005/${m.name}/${FILES}`] = undefined), /files_metadata.json: is missing/],
  ['files_metadata.json that is disabled', (m) => (m.sentinel['FilesMetadataDisabled'] = true), /exists although the sentinel says/],
  ['a member without key', (m) => delete m.files['/base/5/1259'], /Files has no key for "\/base\/5\/1259"/],
  ['a directory without key', (m) => delete m.files['/base'], /Files has no key for "\/base" of/],
  ['a key without member', (m) => (m.files['/base/5/99'] = m.files['/base'] ?? {}), /Files has the key "\/base\/5\/99", but no tar/],
  [
    'a key that differs by a slash',
    (m) => ((m.files['base/5/1259'] = m.files['/base/5/1259'] ?? {}), delete m.files['/base/5/1259']),
    /no key for "\/base\/5\/1259"/,
  ],
  ['the control file as a key', (m) => (m.files['/global/pg_control'] = m.files['/base'] ?? {}), /Files has the key \/global\/pg_control/],
  ['a file entry without MTime', (m) => delete m.files['/base']?.['MTime'], /Files "\/base": the key MTime is missing/],
  ['a file entry with an extra key', (m) => (m.files['/base'] = { ...m.files['/base'], Sha256: '' }), /Files "\/base": Sha256 is a key/],
  [
    'a skipped file in a full backup',
    (m) => (m.files['/base'] = { ...m.files['/base'], IsSkipped: true }),
    /incremented or skipped although/,
  ],
  [
    'descending corrupt blocks',
    (m) => (m.files['/base/5/1259'] = { ...m.files['/base/5/1259'], CorruptBlocks: { CorruptBlocksCount: 2, SomeCorruptBlocks: [5, 3] } }),
    /not ascending/,
  ],
  ['a tar that TarFileSets lacks', (m) => delete m.tarFileSets['part_003.tar'], /TarFileSets does not list part_003.tar/],
  ['the label tar that TarFileSets lacks', (m) => delete m.tarFileSets[LABEL_TAR], /TarFileSets does not list backup_label.tar/],
  ['a tar in TarFileSets that is not stored', (m) => (m.tarFileSets['part_002.tar'] = []), /lists part_002.tar, which is not stored/],
  ['pg_control.tar in TarFileSets', (m) => (m.tarFileSets['pg_control.tar'] = ['/global/pg_control']), /TarFileSets lists pg_control.tar/],
  ['a set with a name too many', (m) => m.tarFileSets['part_001.tar']?.push('/x'), /part_001.tar lists "\/x", which is not in it/],
  ['a set with a name too few', (m) => m.tarFileSets['part_001.tar']?.pop(), /TarFileSets part_001.tar lacks "\/pg_wal"/],
  ['a set with a name twice', (m) => m.tarFileSets['part_001.tar']?.push('/base'), /has a name twice/],
  // Tar members
  [
    'a path in two tars',
    (m) => members(m, 'part_003.tar').push({ name: '/PG_VERSION', content: 'x' }),
    /part_003.tar "\/PG_VERSION": stands in part_001.tar too/,
  ],
  ['a path twice in one tar', (m) => members(m).push({ name: '/PG_VERSION', content: 'x' }), /stands in part_001.tar too/],
  ['a name without slash', (m) => members(m).push({ name: 'stray', content: 'x' }), /"stray": has no slash at its beginning/],
  ['a directory with a slash at its end', (m) => members(m).push({ name: '/late/', type: '5' }), /"\/late\/": has a slash at its end/],
  ['a path that climbs', (m) => members(m).push({ name: '/base/../x', content: 'x' }), /is not a clean path/],
  ['no root entry', (m) => members(m).shift(), /there is no entry \/ as a directory/],
  ['a root entry that is not the first', (m) => members(m).push(members(m).shift() ?? { name: '/' }), /the entry \/ is not the first/],
  ['a file without its directory', (m) => members(m).push({ name: '/nowhere/x', content: 'x' }), /the directory "\/nowhere" has no entry/],
  ['content of pg_wal', (m) => members(m).push({ name: '/pg_wal/000000010000000000000001', content: 'x' }), /whose content is left out/],
  ['postmaster.pid', (m) => members(m).push({ name: '/postmaster.pid', content: 'x' }), /is a file that is left out/],
  ['the control file in a part', (m) => members(m).push({ name: '/global/pg_control', content: 'x' }), /belongs into a tar of its own/],
  ['a symbolic link', (m) => members(m).push({ name: '/link', type: '2', linkname: 'x' }), /is a symbolic link/],
  ['a hard link', (m) => members(m).push({ name: '/link', type: '1', linkname: '/x' }), /is a hard link/],
  ['a device', (m) => members(m).push({ name: '/device', type: '3' }), /is a device/],
  ['a GNU long name', (m) => members(m).push({ name: '././@LongLink', type: 'L', content: '/x\0' }), /of type "L"/],
  [
    'a tablespace with a folder in its place',
    (m) => members(m, 'part_003.tar').push({ name: '/pg_tblspc/16400', type: '5' }),
    /has an entry too/,
  ],
  // Tar bytes
  ['a wrong header checksum', (m) => (lastMember(m).spoil = (block) => block.write('1', 100)), /the header checksum is wrong/],
  ['a GNU header', (m) => (lastMember(m).header = (block) => block.write('ustar  \0', 257)), /the header is not ustar/],
  ['a size that is not octal', (m) => (lastMember(m).header = (block) => block.fill(0x80, 124, 125)), /size is not octal/],
  ['a mode with type bits', (m) => (lastMember(m).header = (block) => block.write('0100600\0', 100)), /mode has more than permission bits/],
  [
    'a PAX record of another program',
    (m) => members(m).splice(-1, 0, { name: 'PaxHeader', type: 'x', content: '20 GNU.sparse=xxxxx\n' }),
    /the record GNU.sparse/,
  ],
  [
    'a malformed PAX record',
    (m) => members(m).splice(-1, 0, { name: 'PaxHeader', type: 'x', content: '9 path=/x\n' }),
    /a malformed record/,
  ],
  ['no trailer', (m) => (tarOf(m, 'part_001.tar').trailer = Buffer.alloc(0)), /ends without its trailer/],
  ['half a trailer', (m) => (tarOf(m, 'part_001.tar').trailer = Buffer.alloc(512)), /the trailer is not two zero blocks/],
  ['a trailer of a blocked archive', (m) => (tarOf(m, 'part_001.tar').trailer = Buffer.alloc(10_240)), /9216 bytes behind the trailer/],
  [
    'a second archive behind',
    (m) => (tarOf(m, 'part_001.tar').trailer = Buffer.concat([Buffer.alloc(1024), tarHeader({ name: '/x' }, 0)])),
    /512 bytes behind/,
  ],
  ['a cut archive', (m) => (tarOf(m, 'part_003.tar').stored = (bytes) => bytes.subarray(0, 700)), /the archive ends inside this member/],
  [
    'an empty object',
    (m) => (tarOf(m, 'part_003.tar').stored = () => Buffer.alloc(0)),
    /part_003.tar: the archive ends without its trailer/,
  ],
  // pg_control and labels
  ['no pg_control.tar', (m) => delete m.tars['pg_control.tar'], /there is no pg_control.tar/],
  ['no backup_label.tar', (m) => delete m.tars[LABEL_TAR], /there is no backup_label.tar/],
  [
    'pg_control without its slash',
    (m) => (firstMember(m, 'pg_control.tar').name = 'global/pg_control'),
    /not exactly \/global\/pg_control/,
  ],
  [
    'a guest in pg_control.tar',
    (m) => members(m, 'pg_control.tar').push({ name: '/global/1262', content: 'x' }),
    /not exactly \/global\/pg_control/,
  ],
  ['a short pg_control', (m) => (firstMember(m, 'pg_control.tar').content = 'x'), /pg_control has 1 bytes/],
  [
    'labels in the other order',
    (m) => members(m, LABEL_TAR).sort((a, b) => (a.name < b.name ? 1 : -1)),
    /not exactly backup_label, tablespace_map/,
  ],
  ['labels with slashes', (m) => (firstMember(m, LABEL_TAR).name = '/backup_label'), /not exactly backup_label, tablespace_map/],
  ['no tablespace_map', (m) => members(m, LABEL_TAR).pop(), /not exactly backup_label, tablespace_map/],
  ['a label that is none', (m) => (firstMember(m, LABEL_TAR).content = 'x'), /the label has no start location/],
  // What lies around
  [
    'a foreign object among the parts',
    (m) => (m.objects[`basebackups_005/${m.name}/tar_partitions/hashes.json`] = Buffer.alloc(0)),
    /hashes.json: does not belong/,
  ],
  [
    'a part with a dot at its end',
    (m) => (m.objects[`basebackups_005/${m.name}/tar_partitions/part_004.tar.`] = Buffer.alloc(1024)),
    /part_004.tar.: does not belong/,
  ],
  [
    'a part with two digits',
    (m) => (m.objects[`basebackups_005/${m.name}/tar_partitions/part_04.tar`] = Buffer.alloc(1024)),
    /part_04.tar: does not belong/,
  ],
  [
    'parts of two codecs',
    (m) => (m.objects[`basebackups_005/${m.name}/tar_partitions/part_004.tar.zst`] = encode('zst', Buffer.alloc(1024))),
    /different codecs/,
  ],
  [
    'a stray object in the backup',
    (m) => (m.objects[`basebackups_005/${m.name}/hashes.json`] = Buffer.alloc(0)),
    /hashes.json does not belong into a backup/,
  ],
  ['a stray folder in the repository', (m) => (m.objects['hashes/x'] = Buffer.alloc(0)), /hashes does not belong into a repository/],
  ['a stray object beside the backups', (m) => (m.objects['basebackups_005/x'] = Buffer.alloc(0)), /basebackups_005\/x does not belong/],
  // WAL
  [
    'a missing segment',
    (m) => (m.objects['wal_005/000000010000000000000002'] = undefined),
    /its segment 000000010000000000000002 is not in the archive/,
  ],
  [
    'a stray object in the archive',
    (m) => (m.objects['wal_005/000000010000000000000002.sha256'] = Buffer.alloc(0)),
    /does not belong into wal_005/,
  ],
  ['a segment twice', (m) => (m.objects['wal_005/000000010000000000000002.zst'] = encode('zst', segment(2))), /is stored twice/],
  ['a short segment', (m) => (m.objects['wal_005/000000010000000000000002'] = segment(2).subarray(5)), /a segment of 1048571 bytes/],
  ['an empty segment', (m) => (m.objects['wal_005/000000010000000000000002'] = Buffer.alloc(0)), /a segment of 0 bytes/],
  ['another segment', (m) => (m.objects['wal_005/000000010000000000000002'] = segment(3)), /belongs to another segment/],
  ['a segment of another cluster', (m) => (m.objects['wal_005/000000010000000000000002'] = segment(2, '1')), /belongs to another cluster/],
  [
    'a segment of zeros',
    (m) => (m.objects['wal_005/000000010000000000000002'] = Buffer.alloc(2 ** 20)),
    /does not begin with a page of WAL/,
  ],
  ['a history that is none', (m) => (m.objects['wal_005/00000002.history'] = Buffer.from('x')), /is no timeline history/],
]

describe('damage is found', () => {
  test.each(damages)('%s', async (_name, damage, expected) => {
    const model = modelRepository()
    damage(model)
    const problems = await check(model)
    expect(problems.join('\n')).toMatch(expected)
  })

  test.each([
    ['zst', /bytes behind the zstd frame/],
    ['lz4', /bytes behind the LZ4 frame/],
    ['br', /bytes behind the brotli stream/],
  ] as const)('a second %s frame, whose content WAL-G would not see', async (suffix, expected) => {
    const model = modelRepository(suffix)
    tarOf(model, `part_001.tar.${suffix}`).stored = (bytes) => Buffer.concat([bytes, encode(suffix, Buffer.from('more'))])
    expect((await check(model)).join('\n')).toMatch(expected)
  })

  test.each(['zst', 'lz4', 'br'] as const)('a cut %s object', async (suffix) => {
    const model = modelRepository(suffix)
    tarOf(model, `part_001.tar.${suffix}`).stored = (bytes) => bytes.subarray(0, bytes.length - 3)
    expect((await check(model)).join('\n')).toMatch(/part_001/)
  })

  test.each(['zst', 'lz4'] as const)('a flipped byte in a %s object', async (suffix) => {
    const model = modelRepository(suffix)
    tarOf(model, `part_001.tar.${suffix}`).stored = (bytes) => {
      bytes[bytes.length - 60] = (bytes[bytes.length - 60] ?? 0) ^ 1
      return bytes
    }
    expect((await check(model)).join('\n')).toMatch(/part_001/)
  })

  test('frames without the checksums that WAL-G writes', async () => {
    const lz4 = modelRepository('lz4')
    tarOf(lz4, 'part_001.tar.lz4').stored = (bytes) => Buffer.concat([Buffer.from('04224d18607073', 'hex'), bytes.subarray(7, -4)])
    expect((await check(lz4)).join('\n')).toMatch(/without content checksum/)
  })
})

test('leftovers of dead attempts are told apart from problems', async () => {
  await using folder = temporaryFolder()
  const model = modelRepository()
  model.objects['basebackups_005/base_000000010000000000000009/tar_partitions/part_001.tar'] = Buffer.from('x')
  model.objects['wal_005/000000010000000000000003.lz4.tmp.20260301T100000Z-0123456789abcdef'] = Buffer.from('x')
  writeModel(model, folder.path)
  const report = await checkRepositoryStrictly(folder.path)
  expect(report.problems).toEqual([])
  expect(report.leftovers).toEqual([
    'basebackups_005/base_000000010000000000000009',
    'wal_005/000000010000000000000003.lz4.tmp.20260301T100000Z-0123456789abcdef',
  ])
  expect(report.backups).toEqual([model.name])
})

test('the hash is xxHash of 32 bits', () => {
  const digest = (bytes: Uint8Array): number => {
    const hash = createXxh32()
    for (let at = 0; at < bytes.length; at += 7) hash.update(bytes.subarray(at, at + 7))
    return hash.digest()
  }
  expect(digest(Buffer.from(''))).toBe(0x02cc_5d05)
  expect(digest(Buffer.from('abc'))).toBe(0x32d1_53ff)
  expect(digest(Buffer.from('Nobody inspects the spammish repetition'))).toBe(0xe229_3b2f)
})

test.skipIf(!programExists('lz4'))('LZ4 frames of the lz4 program decode to what went in (needs the program lz4)', async () => {
  await using folder = temporaryFolder()
  const plain = Buffer.concat(
    [...Array(200).keys()].map((index) => Buffer.from(`${index * 7919} and some text that repeats itself `.repeat(index + 1))),
  )
  writeFileSync(folder.join('plain'), plain)
  execFileSync('lz4', ['-q', '-BI', '-B5', '--content-size', folder.join('plain'), folder.join('sized.lz4')])
  execFileSync('lz4', ['-q', '-BI', '-B5', '--no-content-size', folder.join('plain'), folder.join('plain.lz4')])
  const chunks: Uint8Array[] = []
  for await (const chunk of openObject(folder.join('plain.lz4'), 'lz4')) chunks.push(chunk)
  expect(Buffer.concat(chunks).equals(plain)).toBe(true)
  await expect(openObject(folder.join('sized.lz4'), 'lz4').next()).rejects.toThrow('content size')
})
