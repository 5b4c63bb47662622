import { mkdirSync, writeFileSync } from 'node:fs'
import { temporaryFolder } from '@waltz/testkit'
import { expect, it } from 'vitest'
import { findWaltzProgram } from '../src/waltz-program.ts'

it('names the executable of a built folder wherever in it the code lies, never the script that it starts', async () => {
  await using work = temporaryFolder()
  const built = work.makeFolder('dist')
  mkdirSync(`${built}/lib/chunks`, { recursive: true })
  for (const file of ['waltz', 'lib/launch.cjs', 'lib/bin.js', 'lib/wal.cjs']) writeFileSync(`${built}/${file}`, '')
  for (const from of [`${built}/lib/chunks`, `${built}/lib`]) {
    expect(findWaltzProgram(from)).toMatchObject({ program: [`${built}/waltz`] })
    expect(findWaltzProgram(from).guarded).toBeUndefined()
  }
})

it('names Node and the script elsewhere, and asks for a guard: the exit codes of Node itself must not end a recovery', async () => {
  await using work = temporaryFolder()
  const folder = work.makeFolder('cli', 'dist')
  writeFileSync(`${folder}/bin.js`, '')
  const { program, guarded } = findWaltzProgram(folder)
  expect(program).toEqual([expect.stringMatching(/node$/), `${folder}/bin.js`])
  expect(guarded).toBe(true)
})
