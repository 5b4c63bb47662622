import { expect, it } from 'vitest'
import { encodeFilesMetadata, readFilesMetadata, type FilesMetadataEvent } from '../src/index.ts'

it('tells files and parts alone when tables are not wanted', async () => {
  const content = {
    files: ['/a', '/b'].map((name) => ({ name, incremented: false, skipped: false, modifiedAt: '2026-03-01T13:00:00Z' })),
    tarFileSets: [{ part: 'part_001.tar.lz4', names: ['/a', '/b'] }],
    databases: [
      {
        name: 'app',
        oid: 16390,
        tables: Array.from({ length: 500 }, (_, index) => ({ name: `public.t"${index}`, oid: index + 1, relFileNode: index + 1 })),
      },
      { name: 'empty', oid: 5, tables: [] },
    ],
  }
  const read = async (tables: boolean, chunkBytes: number): Promise<FilesMetadataEvent[]> => {
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for await (const chunk of encodeFilesMetadata(content)) {
        for (let at = 0; at < chunk.length; at += chunkBytes) yield chunk.slice(at, at + chunkBytes)
      }
    }
    const events: FilesMetadataEvent[] = []
    for await (const batch of readFilesMetadata(chunks(), { origin: 'list', tables })) events.push(...batch)
    return events
  }
  for (const chunkBytes of [7, 100_000]) {
    const all = await read(true, chunkBytes)
    const kinds = new Set(all.map((event) => event.kind))
    expect(kinds).toEqual(new Set(['file', 'part', 'member', 'database', 'table']))
    expect(await read(false, chunkBytes)).toEqual(all.filter(({ kind }) => kind !== 'database' && kind !== 'table'))
  }
})
