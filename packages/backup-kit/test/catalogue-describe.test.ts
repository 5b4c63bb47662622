import { isFault } from '@waltz/errors'
import { backupFolder, encodeManifest, filesMetadataKey, manifestKey, sentinelKey } from '@waltz/repository'
import { describe, expect, it } from 'vitest'
import { describeBackup, type BackupDescription, type DescribeBackupOptions } from '../src/catalogue/describe-backup.ts'
import { readBackupFiles } from '../src/catalogue/read-backup-files.ts'
import { madeRepository, nameOf, objectsOf, type MadeRepository } from './catalogue-repository.ts'

const now = (): Date => new Date('2026-03-20T00:00:00Z')
const storagesOf = (...repositories: readonly MadeRepository[]): { name: string; store: MadeRepository['store'] }[] =>
  repositories.map(({ store }, index) => ({ name: ['default', 'a', 'b'][index] ?? '', store }))
const described = (repository: MadeRepository, selector: DescribeBackupOptions['selector']): Promise<BackupDescription> =>
  describeBackup(storagesOf(repository), { selector, now })
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return isFault(error) ? error.code : `no fault: ${String(error)}`
}

describe('describeBackup', () => {
  it('tells of a backup with its relatives, without reading the others', async () => {
    const repository = madeRepository()
    for (let segment = 20; segment < 40; segment += 1) await repository.add({ segment })
    const full = await repository.add({ segment: 1, parts: 4 })
    const first = await repository.add({ segment: 2, parent: full })
    const second = await repository.add({ segment: 3, parent: first, depth: 2 })
    const shown = await described(repository, { name: first })
    expect(shown.entry).toMatchObject({ name: first, status: 'complete', increment: { parent: full, depth: 1 }, findings: [] })
    expect(shown.ancestors.map(({ name, folder }) => [name, folder?.objects])).toEqual([[full, 5]])
    expect(shown.children.map(({ name }) => name)).toEqual([second])
    expect(shown.parts).toEqual({ objects: 1, bytes: 50 })
    expect(shown).toMatchObject({ filesMetadata: undefined, manifest: undefined, alsoIn: [] })
    expect(repository.requests.filter((request) => request.startsWith('get '))).toHaveLength(6)
    expect(repository.requests.filter((request) => request.startsWith('list '))).toEqual(
      ['basebackups_005/', ...[first, full, second].map(backupFolder)].map((prefix) => `list ${prefix}`),
    )
  })

  it('takes the newest for LATEST, and a folder without sentinel for what it is', async () => {
    const repository = madeRepository()
    await repository.add({ segment: 1 })
    const latest = await repository.add({ segment: 2 })
    const unfinished = await repository.add({ segment: 3, sentinel: false })
    expect((await described(repository, { latest: true })).entry.name).toBe(latest)
    expect((await described(repository, { name: unfinished })).entry).toMatchObject({ status: 'unfinished', sentinel: undefined })
  })

  it('says that there is no such backup, or none at all', async () => {
    const repository = madeRepository()
    expect(await codeOf(described(repository, { latest: true }))).toBe('BACKUP_NONE')
    await repository.add({ segment: 1 })
    for (const name of [nameOf({ segment: 2 }), '', 'a/b']) expect(await codeOf(described(repository, { name }))).toBe('BACKUP_NOT_FOUND')
    const silent = [...storagesOf(repository), { name: 'c', store: repository.store, why: 'it is dead' }]
    expect(await codeOf(describeBackup(silent, { selector: { name: nameOf({ segment: 2 }) }, now }))).toBe('STORAGE_PARTLY_UNAVAILABLE')
  })

  it('tells a lost parent, and ends in a circle', async () => {
    const repository = madeRepository()
    const orphan = await repository.add({ segment: 2, parent: nameOf({ segment: 1 }) })
    expect((await described(repository, { name: orphan })).entry.findings.map(({ kind }) => kind)).toEqual(['lost-parent'])
    const own = nameOf({ segment: 3 })
    for (const [key, text] of objectsOf({ segment: 3 }))
      await repository.put(
        key,
        text.replace('"PgVersion"', `"DeltaLSN":1,"DeltaFrom":"${own}","DeltaFullName":"x","DeltaCount":1,"PgVersion"`),
      )
    expect((await described(repository, { name: own })).entry.findings.map(({ kind }) => kind)).toEqual(['parent-cycle'])
  })

  it('chooses among storages', async () => {
    const [first, second] = [madeRepository(), madeRepository()]
    const name = await first.add({ segment: 1 })
    await second.add({ segment: 1, permanent: true })
    const only = await second.add({ segment: 2 })
    const storages = storagesOf(first, second)
    expect(await describeBackup(storages, { selector: { name }, now })).toMatchObject({ entry: { storage: 'default' }, alsoIn: ['a'] })
    expect(await describeBackup(storages, { selector: { name }, storage: 'a', now })).toMatchObject({
      entry: { storage: 'a', permanent: true },
    })
    expect((await describeBackup(storages, { selector: { name: only }, now })).entry.storage).toBe('a')
  })

  it("reads Waltz's note, and says when it cannot", async () => {
    const repository = madeRepository()
    const name = await repository.add({ segment: 1 })
    const manifest = encodeManifest({
      backup: name,
      parts: [],
      filesMetadata: undefined,
      links: [],
      skipped: [{ path: '/x', reason: 'a socket' }],
      warnings: ['look here'],
      walPending: [],
      tool: { name: 'waltz', version: '1' },
    })
    await repository.put(manifestKey(name), new TextDecoder().decode(manifest))
    await repository.put(filesMetadataKey(name), '{}')
    const shown = await described(repository, { name })
    expect(shown).toMatchObject({ manifest: { warnings: ['look here'] }, manifestProblem: undefined, filesMetadata: { size: 2 } })
    await repository.put(manifestKey(name), 'x')
    expect(await described(repository, { name })).toMatchObject({ manifest: undefined, manifestProblem: { code: 'JSON_INVALID' } })
  })
})

describe('readBackupFiles', () => {
  const file = (name: string): string =>
    `"${name}":{"IsIncremented":true,"IsSkipped":false,"MTime":"2026-03-01T00:00:00Z","UpdatesCount":0}`
  const namesOf = async (repository: MadeRepository, backup: string, matches?: (name: string) => boolean): Promise<readonly string[]> => {
    const names: string[] = []
    for await (const files of readBackupFiles(repository.store, backup, matches === undefined ? {} : { matches }))
      names.push(...files.map(({ name }) => name))
    return names
  }

  it('reads the list of files, from where it lies', async () => {
    const repository = madeRepository()
    const [modern, old, none] = [1, 2, 3].map((segment) => nameOf({ segment })) as [string, string, string]
    await repository.put(filesMetadataKey(modern), `{"Files":{${file('/a')},${file('/base/1')}},"TarFileSets":{"p":["/a"]}}`)
    await repository.put(sentinelKey(old), `{"LSN":1,"Files":{${file('/old')}}}`)
    await repository.put(sentinelKey(none), '{"LSN":1}')
    expect(await namesOf(repository, modern)).toEqual(['/a', '/base/1'])
    expect(await namesOf(repository, modern, (name) => name.startsWith('/base/'))).toEqual(['/base/1'])
    expect(await namesOf(repository, old)).toEqual(['/old'])
    expect(await namesOf(repository, none)).toEqual([])
  })

  it('fails for a list that is damaged', async () => {
    const repository = madeRepository()
    const name = nameOf({ segment: 1 })
    await repository.put(filesMetadataKey(name), `{"Files":{${file('/a')}`)
    expect(await codeOf(namesOf(repository, name))).toBe('JSON_TRUNCATED')
  })
})
