import { readdirSync } from 'node:fs'
import { temporaryFolder } from '@waltz/testkit'
import { describe, expect, it } from 'vitest'
import { createSpoolFolder, type ObjectSpool, type SpooledObject, type SpoolRange } from '../src/removal/object-spool.ts'

async function all(spool: ObjectSpool, range?: SpoolRange): Promise<readonly SpooledObject[]> {
  const objects: SpooledObject[] = []
  for await (const some of spool.read(range)) objects.push(...some)
  return objects
}

const objectOf = (key: string): SpooledObject => ({ key, size: 1, modifiedMs: 2, mark: '"é"' })

describe('object spools', () => {
  it('give back what was added, whatever is in the keys, from memory and from a file', async () => {
    await using folder = temporaryFolder()
    const odd = [
      'line\nend',
      'tab\tstop',
      '\\n\\\\t\\',
      'return\r',
      'separator\u2028',
      'paragraph\u2029',
      'next\u0085line',
      'quote"\\',
      'wide 𝄞é',
    ].map(objectOf)
    for (const many of [0, 20_000]) {
      await using spools = createSpoolFolder(folder.path)
      const spool = spools.create('some')
      const added = [...odd, ...Array.from({ length: many }, (_, index) => objectOf(`wal_005/é${index}`)), ...odd]
      for (const object of added) {
        spool.add(object)
        await spool.settle()
      }
      expect(readdirSync(folder.path)).toHaveLength(many === 0 ? 0 : 1)
      expect(await all(spool)).toEqual(added)
      expect(await all(spool)).toEqual(added)
    }
    expect(readdirSync(folder.path)).toEqual([])
  })

  it('give back any part, while more is added', async () => {
    await using folder = temporaryFolder()
    await using spools = createSpoolFolder(folder.path)
    const spool = spools.create('some')
    const parts: { readonly range: SpoolRange; readonly objects: readonly SpooledObject[] }[] = []
    for (let part = 0; part < 40; part += 1) {
      const objects = Array.from({ length: part * 20 }, (_, index) => objectOf(`part${part}/é\n${index}`))
      const from = spool.position()
      for (const object of objects) spool.add(object)
      parts.push({ range: { from, to: spool.position() }, objects })
      await spool.settle()
      expect(await all(spool, parts[part >> 1]?.range)).toEqual(parts[part >> 1]?.objects)
    }
    expect(readdirSync(folder.path)).toHaveLength(1)
    for (const { range, objects } of parts) expect(await all(spool, range)).toEqual(objects)
    const across = { from: parts[3]?.range.from ?? 0, to: parts[30]?.range.to ?? 0 }
    expect(await all(spool, across)).toEqual(parts.slice(3, 31).flatMap(({ objects }) => objects))
  })
})
