import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readAll, sourceOf } from '@waltz/bytes'
import { createLease } from '@waltz/repository'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { kitSettings, openBackupKit } from '../src/backup-kit.ts'
import { sleep } from '../src/push.ts'
import { armoredKey, surroundingsIn, type Values } from './encryption-keys.ts'

const folder = mkdtempSync(join(tmpdir(), 'kit-keys-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const repository = join(folder, 'repository')
const keyFile = join(folder, 'key')
beforeEach(() => {
  rmSync(repository, { recursive: true, force: true })
  mkdirSync(repository)
  writeFileSync(keyFile, 'a key that is long enough to be one')
})
const settings = (values: Values): ReturnType<typeof kitSettings> => kitSettings({ WALG_FILE_PREFIX: repository, ...values })
const WITH_FILE = { WALG_LIBSODIUM_KEY_PATH: keyFile }

const history = '1\t0/3000000\tno recovery target\n'

describe('the keys of a kit', () => {
  it('are opened once for all that it does', async () => {
    await using kit = await openBackupKit(settings(WITH_FILE), surroundingsIn(folder))
    const archive = await kit.openWal()
    rmSync(keyFile)
    await archive.push('00000002.history', () => sourceOf(history), { size: history.length })
    const destination = join(folder, 'RECOVERYHISTORY')
    await (await kit.openWal()).fetchToFile({ name: '00000002.history', destination, unique: '00' })
    expect((await kit.openFormat()).encryption).toBe('libsodium')
  })

  it('that could not be opened are tried again by the next call', async () => {
    rmSync(keyFile)
    await using kit = await openBackupKit(settings(WITH_FILE), surroundingsIn(folder))
    await expect(kit.openWal()).rejects.toMatchObject({ code: 'STORAGE_FILE_UNUSABLE' })
    writeFileSync(keyFile, 'a key that is long enough to be one')
    expect((await kit.openFormat()).encryption).toBe('libsodium')
  })

  it('are forgotten at its end', async () => {
    const kit = await openBackupKit(settings(WITH_FILE), surroundingsIn(folder))
    const format = await kit.openFormat()
    await readAll(format.seal(sourceOf('text')), 1000)
    await kit[Symbol.asyncDispose]()
    await expect(readAll(format.seal(sourceOf('text')), 1000)).rejects.toMatchObject({ code: 'CRYPTO_DISPOSED' })
  })

  it('that cannot encrypt end a backup before the server is asked for anything', async () => {
    const beforeItWasMade = { now: () => new Date('2000-01-01T00:00:00Z') }
    const keyed = settings({ WALG_PGP_KEY: armoredKey('ecc.pub.asc'), PGHOST: '/nowhere' })
    await using kit = await openBackupKit(keyed, surroundingsIn(folder, beforeItWasMade))
    await expect(kit.pushBackup({ dataDirectory: join(folder, 'data') })).rejects.toMatchObject({ code: 'CRYPTO_KEY_CANNOT_ENCRYPT' })
    expect(existsSync(repository) && readdirSync(repository)).toEqual([])
  })
})

describe('a change of keys', () => {
  it('is made by one at a time', async () => {
    {
      await using kit = await openBackupKit(settings(WITH_FILE), surroundingsIn(folder))
      const archive = await kit.openWal()
      for (const timeline of [2, 3]) await archive.push(`0000000${timeline}.history`, () => sourceOf(history), { size: history.length })
    }
    const keys = {
      WALG_PGP_KEY: armoredKey('ecc.sec.asc'),
      WALTZ_CRYPTO_PREVIOUS_KEYS: JSON.stringify([{ scheme: 'libsodium', WALG_LIBSODIUM_KEY_PATH: keyFile }]),
    }
    await using kit = await openBackupKit(settings(keys), surroundingsIn(folder))
    const holder = { host: 'db2', pid: 7 }
    const held = createLease({ store: kit.store, key: 'waltz/rotate.json', id: 'a', holder, now: () => new Date(), sleep, ttlMs: 60_000 })
    await held.acquire()
    await expect(kit.rotateEncryption({ confirm: true })).rejects.toMatchObject({ code: 'LEASE_HELD', context: { host: 'db2', pid: 7 } })
    await held.release()
    expect((await kit.rotateEncryption({ confirm: true })).result?.amounts.rotated.objects).toBe(2)
    expect((await kit.rotateEncryption({ confirm: true })).result?.amounts.already.objects).toBe(2)
  })
})
