import { readAll } from '@waltz/bytes'
import { isFault } from '@waltz/errors'
import { decodeMetadata, metadataKey, sentinelKey } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import { describe, expect, it } from 'vitest'
import { markBackup, type MarkResult } from '../src/catalogue/mark-backup.ts'
import { madeRepository, nameOf, type MadeRepository } from './catalogue-repository.ts'

const now = (): Date => new Date('2026-03-20T00:00:00Z')
const mark = (repository: MadeRepository, name: string, permanent = true): Promise<MarkResult> =>
  markBackup([{ name: 'default', store: repository.store }], { name, permanent, now })
const textOf = async (store: ObjectStore, key: string): Promise<string> =>
  new TextDecoder().decode(await readAll(await store.get(key), 1e6))
const isPermanent = async (repository: MadeRepository, name: string): Promise<boolean> =>
  decodeMetadata(await textOf(repository.store, metadataKey(name)), { origin: name }).permanent
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return isFault(error) ? `${error.kind} ${error.code}` : `no fault: ${String(error)}`
}
/** Everything in a store: keys with time and text. */
async function contentOf(store: ObjectStore): Promise<ReadonlyMap<string, string>> {
  const content = new Map<string, string>()
  for await (const { key, modifiedAtNs } of store.list('')) content.set(key, `${modifiedAtNs} ${await textOf(store, key)}`)
  return content
}

interface Chain extends MadeRepository {
  readonly full: string
  readonly first: string
  readonly second: string
  readonly other: string
}

/** A full backup with a chain of two increments, and another increment from the full one. */
async function chain(permanent: { readonly second?: boolean; readonly full?: boolean } = {}): Promise<Chain> {
  const repository = madeRepository()
  const full = await repository.add({ segment: 1, permanent: permanent.full ?? false })
  const first = await repository.add({ segment: 2, parent: full })
  const second = await repository.add({ segment: 3, parent: first, depth: 2, permanent: permanent.second ?? false })
  const other = await repository.add({ segment: 4, parent: full })
  return Object.assign(repository, { full, first, second, other })
}

describe('markBackup', () => {
  it('marks a backup and everything that it was made from, the oldest first', async () => {
    const repository = await chain()
    const { full, first, second, other } = repository
    expect(await mark(repository, second)).toEqual({
      backups: [full, first, second].map((name) => ({ storage: 'default', name, changed: true })),
      silent: [],
    })
    for (const [name, expected] of [
      [full, true],
      [first, true],
      [second, true],
      [other, false],
    ] as const)
      expect(await isPermanent(repository, name)).toBe(expected)
  })

  it('changes no byte of anything else, and no sentinel', async () => {
    const repository = await chain()
    const before = await contentOf(repository.store)
    await mark(repository, repository.first)
    const after = await contentOf(repository.store)
    const changed = [...after].filter(([key, content]) => before.get(key) !== content).map(([key]) => key)
    expect(changed).toEqual([metadataKey(repository.full), metadataKey(repository.first)])
    const textAt = (content: ReadonlyMap<string, string>): string => content.get(metadataKey(repository.full))?.replace(/^\d+ /, '') ?? ''
    expect(textAt(after)).toBe(textAt(before).replace('"is_permanent":false', '"is_permanent":true'))
  })

  it('does nothing again, and marks only the ancestors that are left', async () => {
    const repository = await chain({ second: true, full: true })
    const { full, first, second } = repository
    expect((await mark(repository, second)).backups.map(({ name, changed }) => [name, changed])).toEqual([
      [full, false],
      [first, true],
      [second, false],
    ])
    const before = await contentOf(repository.store)
    expect((await mark(repository, second)).backups.every(({ changed }) => !changed)).toBe(true)
    expect(await contentOf(repository.store)).toEqual(before)
  })

  it('takes the mark from one backup alone', async () => {
    const repository = await chain()
    const { full, first, second } = repository
    await mark(repository, second)
    expect(await mark(repository, second, false)).toEqual({ backups: [{ storage: 'default', name: second, changed: true }], silent: [] })
    expect([await isPermanent(repository, full), await isPermanent(repository, first), await isPermanent(repository, second)]).toEqual([
      true,
      true,
      false,
    ])
    expect((await mark(repository, second, false)).backups).toEqual([{ storage: 'default', name: second, changed: false }])
  })

  it('refuses to take it while a permanent backup depends on it, however far away', async () => {
    const repository = await chain({ second: true, full: true })
    const before = await contentOf(repository.store)
    expect(await codeOf(mark(repository, repository.full, false))).toBe('conflict BACKUP_NEEDED')
    expect(await contentOf(repository.store)).toEqual(before)
    await mark(repository, repository.second, false)
    expect((await mark(repository, repository.full, false)).backups).toHaveLength(1)
  })

  it('refuses as well when a dependent backup cannot tell', async () => {
    const unreadableMark = await chain({ full: true })
    await unreadableMark.put(metadataKey(unreadableMark.first), 'x')
    expect(await codeOf(mark(unreadableMark, unreadableMark.full, false))).toBe('conflict BACKUP_NEEDED')
    const unreadableSentinel = await chain({ full: true })
    await unreadableSentinel.put(sentinelKey(unreadableSentinel.first), 'x')
    expect((await mark(unreadableSentinel, unreadableSentinel.full, false)).backups).toHaveLength(1)
    await mark(unreadableSentinel, unreadableSentinel.full)
    await unreadableSentinel.put(metadataKey(unreadableSentinel.first), '{"is_permanent":true}')
    expect(await codeOf(mark(unreadableSentinel, unreadableSentinel.full, false))).toBe('conflict BACKUP_NEEDED')
  })

  it('marks nothing when anything of the chain is missing', async () => {
    const lost = madeRepository()
    const orphan = await lost.add({ segment: 2, parent: nameOf({ segment: 1 }) })
    const bare = await chain()
    await bare.store.delete([metadataKey(bare.full)])
    for (const [repository, name, code] of [
      [lost, orphan, 'not-found BACKUP_PARENT_LOST'],
      [bare, bare.second, 'not-found BACKUP_METADATA_NOT_FOUND'],
      [bare, 'base_0000000100000000000000EE', 'not-found BACKUP_NOT_FOUND'],
      [bare, 'LATEST', 'not-found BACKUP_NOT_FOUND'],
      [bare, '../x', 'not-found BACKUP_NOT_FOUND'],
      [bare, '', 'not-found BACKUP_NOT_FOUND'],
    ] as const) {
      const before = await contentOf(repository.store)
      expect(await codeOf(mark(repository, name))).toBe(code)
      expect(await contentOf(repository.store)).toEqual(before)
    }
  })

  it('does not overwrite what somebody else wrote meanwhile', async () => {
    const repository = await chain()
    let raced = false
    const store: ObjectStore = {
      ...repository.store,
      put: async (key, body, options) => {
        if (!raced) await repository.put(key, '{"is_permanent":false,"hostname":"elsewhere"}')
        raced = true
        return await repository.store.put(key, body, options)
      },
    }
    expect(await codeOf(markBackup([{ name: 'default', store }], { name: repository.full, permanent: true, now }))).toBe(
      'conflict STORAGE_OBJECT_REPLACED',
    )
    expect(await textOf(store, metadataKey(repository.full))).toContain('elsewhere')
  })

  it('marks in every storage that has the backup, and names those that do not answer', async () => {
    const [first, second, third] = [await chain(), await chain(), madeRepository()]
    const storages = [
      { name: 'default', store: first.store },
      { name: 'a', store: second.store },
      { name: 'b', store: third.store },
      { name: 'c', store: third.store, why: 'it is dead' },
    ]
    const { backups, silent } = await markBackup(storages, { name: first.full, permanent: true, now })
    expect(backups.map(({ storage, changed }) => [storage, changed])).toEqual([
      ['default', true],
      ['a', true],
    ])
    expect(silent).toEqual([{ storage: 'c', why: 'it is dead' }])
    expect([await isPermanent(first, first.full), await isPermanent(second, first.full)]).toEqual([true, true])
    expect(await codeOf(markBackup(storages, { name: 'base_0000000100000000000000EE', permanent: true, now }))).toBe(
      'unavailable STORAGE_PARTLY_UNAVAILABLE',
    )
  })
})
