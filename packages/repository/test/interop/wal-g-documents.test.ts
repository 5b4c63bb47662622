import { createReadStream, existsSync, globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { readAll } from '@waltz/bytes'
import { describe, expect, it } from 'vitest'
import {
  decodeMetadata,
  decodeSentinel,
  encodeFilesMetadata,
  encodeMetadata,
  encodeSentinel,
  parseBackupName,
  readFilesMetadata,
  strippedName,
  type FileRecord,
  type FilesMetadataEvent,
} from '../../src/index.ts'

// Some hundred repositories that WAL-G wrote, too many to keep here: they lie beside the checkout where they are at hand.
const folder = fileURLToPath(new URL('../../../../../shared/fixtures/', import.meta.url))
const found = existsSync(folder)
if (!found) console.warn(`SKIPPED: no WAL-G repositories in ${folder}`)

const documents = (pattern: string): string[] => (found ? globSync(pattern, { cwd: folder }).sort() : [])
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
/** Only in memory, to look at: numbers are rounded. */
const look = (json: string): Record<string, any> => JSON.parse(json) as Record<string, any>

/** What the present release leaves out (`Spec: null`) or always writes (`ChkpNum`), applied to a document of an older one. */
const asPresent = (json: string): string =>
  json.replace(/"Spec":null,/, '').replace(/("ChkpNum":null,)?"Version"/, '"ChkpNum":null,"Version"')

describe.skipIf(!found)('documents that WAL-G wrote', () => {
  it('sentinels come out byte for byte', () => {
    let [equal, older, firstVersion] = [0, 0, 0]
    for (const path of documents('**/*_backup_stop_sentinel.json')) {
      const json = readFileSync(folder + path, 'utf8')
      if (json === '{}') continue // a payload that was emptied on purpose
      const sentinel = decodeSentinel(json, { origin: path })
      expect(parseBackupName(strippedName(path)), path).toBeDefined()
      if (sentinel.version === undefined) {
        firstVersion++
        expect(sentinel.embeddedFiles, path).toBe(true)
        expect(sentinel.increment === undefined, path).toBe(!json.includes('DeltaFromLSN'))
        continue
      }
      const isOlder = json.includes('"Spec":null') || !json.includes('"ChkpNum"')
      expect(text(encodeSentinel(sentinel)), path).toBe(isOlder ? asPresent(json) : json)
      if (isOlder) older++
      else equal++
    }
    expect(equal).toBeGreaterThan(90)
    expect(older).toBeGreaterThan(0)
    expect(firstVersion).toBe(2)
  })

  it('metadata comes out byte for byte', () => {
    let equal = 0
    for (const path of documents('**/metadata.json')) {
      const json = readFileSync(folder + path, 'utf8')
      if (json === '{}') continue
      expect(text(encodeMetadata(decodeMetadata(json, { origin: path }))), path).toBe(json)
      equal++
    }
    expect(equal).toBeGreaterThan(90)
  })

  it('file lists are read as JSON.parse reads them, and written so that they are the same again', async () => {
    let read = 0
    for (const path of [...documents('**/files_metadata.json'), ...documents('**/v1.1*/**/*_sentinel.json')]) {
      const json = readFileSync(folder + path, 'utf8')
      if (json === '') continue // a payload that was emptied on purpose
      const expected = look(json)
      const events = await readEvents(path)
      expectSame(events, expected, path)
      const copy = text(await readAll(encodeFilesMetadata(contentOf(events)), 1e9))
      const { Files, TarFileSets, DatabasesByNames } = expected
      expect(look(copy), path).toEqual(withoutUndefined({ Files, TarFileSets, DatabasesByNames: withoutOldTables(DatabasesByNames) }))
      read++
    }
    expect(read).toBeGreaterThan(70)
  })
})

async function readEvents(path: string): Promise<FilesMetadataEvent[]> {
  const events: FilesMetadataEvent[] = []
  const source = createReadStream(folder + path, { highWaterMark: 9973 }) as AsyncIterable<Uint8Array>
  for await (const batch of readFilesMetadata(source, { origin: path })) events.push(...batch)
  return events
}

function expectSame(events: readonly FilesMetadataEvent[], expected: Record<string, any>, path: string): void {
  const files = events.filter((event) => event.kind === 'file')
  expect(files.map(({ name }) => name).sort(), path).toEqual(Object.keys(expected['Files'] ?? {}).sort())
  for (const file of files) {
    const entry = expected['Files'][file.name] as Record<string, any>
    expect(file, path).toEqual({
      kind: 'file',
      name: file.name,
      incremented: entry['IsIncremented'],
      skipped: entry['IsSkipped'],
      modifiedAt: entry['MTime'],
      updatesCount: entry['UpdatesCount'],
      corruptBlocks:
        entry['CorruptBlocks'] === undefined
          ? undefined
          : { count: entry['CorruptBlocks']['CorruptBlocksCount'], blocks: entry['CorruptBlocks']['SomeCorruptBlocks'] },
    })
  }
  const sets: Record<string, string[]> = {}
  for (const event of events) {
    if (event.kind === 'part') sets[event.part] = []
    else if (event.kind === 'member') sets[event.part]?.push(event.name)
  }
  expect(sets, path).toEqual(expected['TarFileSets'] ?? {})
}

/** The events as content again: a database's tables are those between it and the next one, its oid stands first in what WAL-G writes. */
function contentOf(events: readonly FilesMetadataEvent[]): Parameters<typeof encodeFilesMetadata>[0] {
  const files: FileRecord[] = []
  const tarFileSets: { part: string; names: string[] }[] = []
  const databases: { name: string; oid: number; tables: (FilesMetadataEvent & { kind: 'table' })[] }[] = []
  for (const event of events) {
    if (event.kind === 'file') files.push(event)
    else if (event.kind === 'part') tarFileSets.push({ part: event.part, names: [] })
    else if (event.kind === 'member') tarFileSets.at(-1)?.names.push(event.name)
    else if (event.kind === 'database') databases.push({ name: event.name, oid: event.oid, tables: [] })
    else databases.at(-1)?.tables.push(event)
  }
  return { files, tarFileSets, databases }
}

/** The map `tables` of releases before 3.0.5 is ignored by everyone. */
function withoutOldTables(databases: Record<string, any> | undefined): unknown {
  if (databases === undefined) return undefined
  return Object.fromEntries(Object.entries(databases).map(([name, { tables: _tables, ...rest }]) => [name, rest]))
}

function withoutUndefined(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined))
}
