import { readdirSync } from 'node:fs'
import { temporaryFolder } from '@waltz/testkit'
import { describe, expect, it } from 'vitest'
import { createSpoolFolder, type ObjectSpool, type SpooledObject } from '../src/removal/object-spool.ts'

async function all(spool: ObjectSpool): Promise<readonly SpooledObject[]> {
  const objects: SpooledObject[] = []
  for await (const object of spool.read()) objects.push(object)
  return objects
}

const objectOf = (key: string): SpooledObject => ({ key, size: 1, modifiedMs: 2, mark: '"é"' })

describe('object spools', () => {
  it('give back what was added, whatever is in the keys, from memory and from a file', async () => {
    await using folder = temporaryFolder()
    const odd = ['line\nend', 'return\r', 'separator\u2028', 'paragraph\u2029', 'next\u0085line', 'quote"\\', 'wide 𝄞é'].map(objectOf)
    for (const many of [0, 20_000]) {
      await using spools = createSpoolFolder(folder.path)
      const spool = spools.create('some')
      const added = [...odd, ...Array.from({ length: many }, (_, index) => objectOf(`wal_005/é${index}`)), ...odd]
      for (const object of added) await spool.add(object)
      expect(readdirSync(folder.path)).toHaveLength(many === 0 ? 0 : 1)
      expect(await all(spool)).toEqual(added)
      expect(await all(spool)).toEqual(added)
    }
    expect(readdirSync(folder.path)).toEqual([])
  })
})
