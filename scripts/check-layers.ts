/**
 * The rules of the house that no compiler keeps: who may import whom, what libraries may not touch, and that every error code
 * is explained. Prints every violation; exit code 1 when there is one.
 */
import { fileURLToPath } from 'node:url'
import { ambientProblems } from './layers/ambient.ts'
import { faultCodeProblems } from './layers/fault-codes.ts'
import { countSourceFiles, readWorkspace } from './layers/read-workspace.ts'
import { layerProblems, type LayerTable } from './layers/rules.ts'

/** Rows from the bottom up. Every package and app stands in exactly one. */
export const layers: LayerTable = [
  ['errors'],
  ['bytes', 'network', 'pg-structures', 'settings', 'retention-policy'],
  ['storage', 'codecs', 'crypto', 'tar'],
  ['storage-file', 'storage-s3', 'storage-gcs', 'storage-azure', 'storage-swift', 'storage-ssh', 'repository'],
  ['wal-archive', 'pg-physical-backup'],
  ['backup-kit'],
  ['cli'],
]

/** What a check came to. */
export interface LayerReport {
  readonly problems: readonly string[]
  readonly packages: number
  readonly modules: number
}

/** Checks the workspace below `root` against a table of layers. */
export function checkLayers(root: string, table: LayerTable): LayerReport {
  const workspace = readWorkspace(root)
  const { members } = workspace
  const modules = members.reduce((sum, member) => sum + member.modules.length, 0)
  const problems = [...layerProblems(workspace, table), ...ambientProblems(members), ...faultCodeProblems(members)]
  const existing = countSourceFiles(root)
  if (modules < existing || existing === 0) problems.push(`${modules} modules were read, ${existing} exist: the check is blind`)
  return { problems: [...new Set(problems)], packages: members.length, modules }
}

if (import.meta.main) {
  const { problems, packages, modules } = checkLayers(fileURLToPath(new URL('..', import.meta.url)), layers)
  for (const problem of problems) console.log(problem)
  console.log(`layers: ${packages} packages, ${modules} modules, ${problems.length} problems`)
  process.exitCode = problems.length === 0 ? 0 : 1
}
