import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'

const SCRIPT = `
import { registerHooks } from 'node:module'
registerHooks({ resolve(name, context, next) {
  if (name === 'pkgcloud') throw Object.assign(new Error("Cannot find module 'pkgcloud'"), { code: 'MODULE_NOT_FOUND' })
  return next(name, context)
} })
const { createPkgcloudStore } = await import('@waltz/storage-swift/pkgcloud')
try {
  createPkgcloudStore({ container: 'c', auth: { url: 'http://127.0.0.1:1', user: 'u', password: 'p' } })
} catch ({ kind, code, message, hint }) {
  console.log(JSON.stringify([kind, code, message, hint]))
}
`

it('says what to install where pkgcloud is missing', { timeout: 60_000 }, () => {
  const args = ['--conditions=source', '--input-type=module', '-e', SCRIPT]
  const output = execFileSync(process.execPath, args, { cwd: new URL('..', import.meta.url), encoding: 'utf8' })
  expect(JSON.parse(output)).toEqual([
    'unsupported',
    'SWIFT_PKGCLOUD_MISSING',
    'the package pkgcloud is not installed',
    expect.stringMatching(/install pkgcloud.*WALTZ_SWIFT_ENGINE/),
  ])
})
