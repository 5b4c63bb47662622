import { fileURLToPath } from 'node:url'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import { expect, test } from 'vitest'

test('it is under 12 KB minified, and plans where there is no Node', async () => {
  const options = {
    entryPoints: [fileURLToPath(new URL('../src/index.ts', import.meta.url))],
    bundle: true,
    minify: true,
    platform: 'browser' as const,
    conditions: ['source'],
    write: false as const,
  }
  const result = await build({ ...options, format: 'esm', metafile: true })
  const bytes = result.outputFiles[0]?.contents.length ?? Infinity
  console.log(`@waltz/retention-policy with what it depends on: ${bytes} bytes minified`)
  expect(bytes).toBeLessThan(12 * 1024)
  expect(
    Object.keys(result.metafile.inputs).filter((path) => !/^(packages\/|\.\.\/)?(errors\/|retention-policy\/)?src\//.test(path)),
  ).toEqual([])

  // A context of its own has the language and nothing else: no process, no Buffer, no require.
  const script = await build({ ...options, format: 'iife', globalName: 'retention' })
  const context = createContext({})
  runInContext(script.outputFiles[0]?.text ?? '', context)
  const planned: unknown = runInContext(
    `const backups = [1, 2, 3].map((day) => ({ id: 'dump-' + day, startedAt: new Date(Date.UTC(2026, 0, day)), bytes: 5 }))
     const plan = retention.planRetention(backups, retention.parsePolicies('last=1, daily=2@Europe/Berlin'), { now: new Date(Date.UTC(2026, 0, 4)) })
     JSON.stringify([typeof process, typeof Buffer, plan.remove.map(({ backup }) => backup.id), plan.bytesFreed.backups])`,
    context,
  )
  expect(planned).toBe(JSON.stringify(['undefined', 'undefined', ['dump-1'], 5]))
})
