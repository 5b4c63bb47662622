import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readAll, sourceOf } from '@waltz/bytes'
import { createCodecRegistry } from '@waltz/codecs'
import type { Cipher } from '@waltz/crypto'
import { libsodium } from '@waltz/crypto/libsodium'
import { openpgp } from '@waltz/crypto/openpgp'
import { restoreBackup } from '@waltz/pg-physical-backup'
import {
  createBackupCatalog,
  createSealedFormat,
  decodeManifest,
  encodeManifest,
  manifestKey,
  partKey,
  type BackupManifest,
  type SealedFormat,
} from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import { createFileStore } from '@waltz/storage-file'
import { createMemoryStore } from '@waltz/storage/memory'
import { beforeAll, describe, expect, it } from 'vitest'

const madeName = 'base_000000010000000000000013'
const fixture = new URL('../../pg-physical-backup/test/fixtures/odd-files/', import.meta.url).pathname
const now = (): Date => new Date('2026-11-21T00:00:00Z')
const PART = partKey(madeName, 'part_001.tar.zst')
/** Path and hash of every file. */
const expected = readFileSync(join(fixture, 'files.tsv'), 'utf8')
  .split('\n')
  .map((line) => line.split('\t'))
  .flatMap(([path, kind, , , hash]) => (kind === 'f' ? [`${path} ${hash}`] : []))
  .sort()
const keyFile = new URL('../../crypto/test/fixtures/openpgp/keys/ecc.sec.asc', import.meta.url)
const sodium = libsodium({ key: new Uint8Array(32).fill(3) })
let pgp: Cipher
const objects = new Map<string, Uint8Array>()

beforeAll(async () => {
  pgp = await openpgp({ armoredKeys: readFileSync(keyFile, 'utf8'), now })
  const store = createFileStore({ root: join(fixture, 'repo'), now, randomHex: (digits) => '0'.repeat(digits), sync: false })
  for await (const { key } of store.list('')) objects.set(key, await readAll(await store.get(key), 1e8))
})

async function formatWith(cipher: Cipher): Promise<SealedFormat> {
  const registry = createCodecRegistry()
  return createSealedFormat({ codec: await registry.byName('zstd'), registry, cipher })
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function scratch(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'kit-restore-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

function filesIn(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => `${path.slice(root.length + 1)} ${sha256(readFileSync(path))}`)
    .sort()
}

async function restoreFrom(store: ObjectStore, destination: string, sealed: SealedFormat): Promise<void> {
  await restoreBackup(
    {
      store,
      catalog: createBackupCatalog(store),
      sealed,
      destination,
      selector: { latest: true },
      spoolDirectory: join(destination, '../spool'),
    },
    { lanes: 2, retries: 2, sync: false, sleep: () => Promise.resolve() },
  )
}

/** The fixture with its parts encrypted. */
async function encrypted(cipher: Cipher): Promise<ObjectStore> {
  const store = createMemoryStore({ now })
  for (const [key, bytes] of objects) {
    const stored = key.includes('/tar_partitions/') ? await readAll(cipher.encrypt(sourceOf(bytes)), 1e8) : bytes
    await store.put(key, sourceOf(stored))
  }
  return store
}

/** Objects arrive in small pieces, as over a network: what is in front of the last one is out before its check. */
function inPieces(store: ObjectStore): ObjectStore {
  return {
    ...store,
    async get(key, options) {
      const body = await store.get(key, options)
      async function* pieces(): AsyncGenerator<Uint8Array> {
        for await (const chunk of body) for (let at = 0; at < chunk.length; at += 16_384) yield chunk.slice(at, at + 16_384)
      }
      return { info: body.info, [Symbol.asyncIterator]: pieces, [Symbol.asyncDispose]: () => body[Symbol.asyncDispose]() }
    },
  }
}

function flipLast(bytes: Uint8Array): Uint8Array {
  const damaged = Uint8Array.from(bytes)
  damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1
  return damaged
}

describe('a cipher that knows only at the end whether all was right', () => {
  it('restores an intact backup', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    await restoreFrom(await encrypted(pgp), target, await formatWith(pgp))
    expect(filesIn(target)).toEqual(expected)
  })

  it('leaves no file of a part whose last byte is wrong, and nothing that a server would start with', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const store = await encrypted(pgp)
    // As it is stored without compression: no codec holds anything back.
    const zstd = await createCodecRegistry().byExtension('zst')
    const tar = await readAll(zstd.decompress(sourceOf(objects.get(PART) ?? '')), 1e8)
    await store.delete([PART])
    await store.put(PART.replace('.zst', ''), sourceOf(flipLast(await readAll(pgp.encrypt(sourceOf(tar)), 1e8))))
    await expect(restoreFrom(inPieces(store), target, await formatWith(pgp))).rejects.toMatchObject({
      kind: 'corrupt',
      code: expect.stringMatching(/^CRYPTO_/),
    })
    expect(existsSync(join(target, 'global/pg_control'))).toBe(false)
    // What is left are the restore's own notes that it did not end.
    expect(filesIn(target).filter((line) => !line.startsWith('.waltz-restore'))).toEqual([])
  })
})

describe('a manifest while keys are being changed', () => {
  async function storeWith(alternative: (bytes: Uint8Array) => { size: number; sha256: string }): Promise<ObjectStore> {
    const store = await encrypted(sodium)
    const parts: BackupManifest['parts'][number][] = []
    for (const [key, plain] of objects) {
      if (!key.includes('/tar_partitions/')) continue
      const bytes = await readAll(await store.get(key), 1e8)
      const name = key.slice(key.lastIndexOf('/') + 1)
      const old = { size: plain.length, sha256: sha256(plain) }
      parts.push({ name, ...old, payloadBytes: 512, alternatives: [alternative(bytes)] })
    }
    const rest = { filesMetadata: undefined, links: [], skipped: [], warnings: [], walPending: [], tool: { name: 'waltz', version: '1' } }
    await store.put(manifestKey(madeName), sourceOf(encodeManifest({ backup: madeName, parts, ...rest })))
    return store
  }

  it('accepts what it has as an alternative', async () => {
    using work = scratch()
    const target = join(work.path, 'data')
    const store = await storeWith((bytes) => ({ size: bytes.length, sha256: sha256(bytes) }))
    await restoreFrom(store, target, await formatWith(sodium))
    expect(filesIn(target)).toEqual(expected)
  })

  it.each([
    ['the hash of another size', (bytes: Uint8Array) => ({ size: bytes.length + 1, sha256: sha256(bytes) })],
    ['the size of another hash', (bytes: Uint8Array) => ({ size: bytes.length, sha256: '0'.repeat(64) })],
  ])('does not accept %s', async (_, alternative) => {
    using work = scratch()
    const restore = restoreFrom(await storeWith(alternative), join(work.path, 'data'), await formatWith(sodium))
    await expect(restore).rejects.toMatchObject({ code: 'BACKUP_PART_DAMAGED' })
  })

  it('reads alternatives back, and refuses what is none', () => {
    const form = { size: 3, sha256: 'ab'.repeat(32) }
    const part = { name: 'part_001.tar.lz4', ...form, payloadBytes: 1, alternatives: [{ size: 4, sha256: 'cd'.repeat(32) }] }
    const rest = { filesMetadata: undefined, links: [], skipped: [], warnings: [], walPending: [], tool: { name: 'waltz', version: '1' } }
    const bytes = encodeManifest({ backup: madeName, parts: [part], ...rest })
    expect(decodeManifest(bytes, { origin: 'm' }).parts).toEqual([part])
    const broken = Buffer.from(bytes).toString().replace('cd'.repeat(32), 'planted')
    expect(() => decodeManifest(broken, { origin: 'm' })).toThrow(/sha256/)
  })
})
