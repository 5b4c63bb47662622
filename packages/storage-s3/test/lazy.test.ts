import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'

it('importing the package and making a store loads nothing of the SDK', { timeout: 60_000 }, () => {
  const script = `
    import { registerHooks } from 'node:module'
    const seen = []
    registerHooks({ resolve(name, context, next) { if (/aws-sdk|smithy|proxy-agent/.test(name)) seen.push(name); return next(name, context) } })
    const { createS3Store } = await import('@waltz/storage-s3')
    const { createByteBudget } = await import('@waltz/storage')
    const sleep = async () => {}
    createS3Store({ bucket: 'b', budget: createByteBudget(1), now: () => new Date(), sleep, randomHex: () => '',
      retry: { maxAttempts: 1, baseDelayMs: 1, maxDelayMs: 1, random: () => 0, sleep } })
    console.log(JSON.stringify(seen))`
  const cwd = new URL('..', import.meta.url)
  const args = ['--conditions=source', '--input-type=module', '-e', script]
  expect(execFileSync(process.execPath, args, { cwd, encoding: 'utf8' })).toBe('[]\n')
})
