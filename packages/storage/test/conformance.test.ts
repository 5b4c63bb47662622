import { describe, expect, it } from 'vitest'
import { conformanceCases } from '../src/conformance.ts'
import { createMemoryStore } from '../src/memory.ts'
import { wrappers } from './support/wrapped-stores.ts'

describe.each(wrappers)('memory, %s', (_name, wrap) => {
  const store = wrap(createMemoryStore({ now: () => new Date() }))
  it.each(conformanceCases.map((item) => [item.name, item] as const))('%s', async (_case, item) => {
    expect(item.needs?.(store) ?? true).toBe(true)
    await item.run(store)
  })
})

describe('the cases themselves', () => {
  it('have names of their own', () => {
    expect(new Set(conformanceCases.map((item) => item.name)).size).toBe(conformanceCases.length)
  })

  it('leave nothing behind and run side by side in one store', async () => {
    const store = createMemoryStore({ now: () => new Date(0) })
    await Promise.all(conformanceCases.map((item) => item.run(store)))
    const left: string[] = []
    for await (const info of store.list('')) left.push(info.key)
    expect(left).toEqual([])
  })
})
