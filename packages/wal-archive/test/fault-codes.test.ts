import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { faultCodes } from '../src/index.ts'

it('documents every code that it throws, and no other', () => {
  const folder = new URL('../src/', import.meta.url)
  const text = readdirSync(folder)
    .filter((name) => name !== 'fault-codes.ts')
    .map((name) => readFileSync(new URL(name, folder), 'utf8'))
    .join('\n')
  const used = new Set(text.match(/'WAL_[A-Z_]+'/g)?.map((code) => code.slice(1, -1)))
  expect([...used].sort()).toEqual(Object.keys(faultCodes).sort())
})
