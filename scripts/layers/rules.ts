import { isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import type { Member, SourceModule, Workspace } from './read-workspace.ts'
import { importedModules } from './scan-source.ts'

/** Rows from the bottom up: a package imports from lower rows only. */
export type LayerTable = readonly (readonly string[])[]

/** May import settings. */
const SETTINGS_READERS = new Set(['backup-kit', 'cli'])
/** Bytes and values only: these run wherever JavaScript does. */
const WITHOUT_NODE = new Set(['errors', 'pg-structures', 'settings', 'retention-policy'])

/** Everything that breaks a rule of the layers, one line each; `table` and `workspace` must name the same packages. */
export function layerProblems(workspace: Workspace, table: LayerTable): readonly string[] {
  const rows = new Map(table.flatMap((names, row) => names.map((name) => [name, row] as const)))
  const layered = workspace.members.filter(({ group }) => group !== 'tools')
  const problems: string[] = []
  for (const { name } of layered) if (!rows.has(name)) problems.push(`${name} has no row in the table of layers`)
  for (const name of rows.keys())
    if (!layered.some((member) => member.name === name))
      problems.push(`${name} stands in the table of layers, but there is no such package`)
  for (const name of workspace.rootDependencies.filter((dependency) => dependency.startsWith('@waltz/'))) {
    problems.push(`the root declares ${name}, which makes it visible to every package`)
  }
  for (const member of layered) {
    for (const dependency of member.dependencies) {
      const wrong = edgeProblem(member, dependency, { rows, workspace })
      if (wrong !== undefined) problems.push(`${member.folder}/package.json: ${wrong}`)
    }
    for (const module of member.modules) {
      for (const name of importedModules(module.scanned)) {
        for (const wrong of importProblems(member, module, name, { rows, workspace })) problems.push(`${module.path}: ${wrong}`)
      }
    }
  }
  return problems
}

interface Surroundings {
  readonly rows: ReadonlyMap<string, number>
  readonly workspace: Workspace
}

/** Whether one package may know another at all. */
function edgeProblem(member: Member, dependency: string, { rows, workspace }: Surroundings): string | undefined {
  if (!dependency.startsWith('@waltz/')) return undefined
  const target = dependency.replace('@waltz/', '')
  const group = workspace.members.find(({ name }) => name === target)?.group
  const from = rows.get(member.name)
  const to = rows.get(target)
  if (group === 'tools') return `${member.name} may not depend on the tool ${target}`
  if (group === 'apps' && member.group === 'packages') return `${member.name} may not depend on the app ${target}`
  if (member.name.startsWith('storage-') && (target.startsWith('storage-') || (to ?? 0) >= 3))
    return `the storage backend ${member.name} may not depend on ${target}`
  if (target === 'settings' && !SETTINGS_READERS.has(member.name)) return `${member.name} may not read settings`
  if (from !== undefined && to !== undefined && to >= from) return `${member.name} (row ${from}) may not depend on ${target} (row ${to})`
  return to === undefined ? `${dependency} is no package of this workspace` : undefined
}

function importProblems(member: Member, module: SourceModule, name: string, surroundings: Surroundings): readonly string[] {
  if (name.startsWith('.')) {
    const target = join(dirname(module.path), name)
    return target.startsWith(`${member.folder}/src/`) ? [] : [`${name} leaves the sources of its package`]
  }
  if (name.startsWith('node:') || isBuiltin(name)) {
    const problems = WITHOUT_NODE.has(member.name) ? [`${member.name} may not import the Node module ${name}`] : []
    return name.startsWith('node:') ? problems : [...problems, `${name} must be written node:${name}`]
  }
  const dependency = name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')
  const edge = edgeProblem(member, dependency, surroundings)
  if (member.dependencies.includes(dependency)) return edge === undefined ? [] : [edge]
  const declared = member.devDependencies.includes(dependency)
  const missing = declared ? `${dependency} is a development dependency` : `${dependency} is not a dependency of ${member.name}`
  return edge === undefined ? [missing] : [missing, edge]
}
