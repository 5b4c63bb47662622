/** The harness's own programs, bundled like the command, so that loading them takes as little. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { giveToOrdinaryUser, workspaceRoot, type TemporaryFolder } from '@waltz/testkit'

/** Paths that the ordinary user can read. */
export interface CataloguePrograms {
  readonly listing: string
  readonly preload: string
}

/** Bundles them into the folder of the run. */
export function bundlePrograms(folder: TemporaryFolder): CataloguePrograms {
  const out = folder.makeFolder('programs')
  const entries = ['bare-listing', 'count-calls'].map((name) => join(workspaceRoot, `bench/src/catalogue/${name}.ts`))
  const form = ['--bundle', '--platform=node', '--format=esm', '--splitting', '--target=node22.15', '--conditions=source']
  // What the SDK still requires by name has to be there in a module.
  const banner = `--banner:js=import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);`
  const names = ['--main-fields=module,main', '--out-extension:.js=.mjs', '--minify-syntax', '--log-level=warning', banner]
  execFileSync(join(workspaceRoot, 'node_modules/.bin/esbuild'), [...entries, ...form, ...names, `--outdir=${out}`], { stdio: 'pipe' })
  giveToOrdinaryUser(out)
  return { listing: join(out, 'bare-listing.mjs'), preload: join(out, 'count-calls.mjs') }
}
