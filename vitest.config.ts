import { defineConfig } from 'vitest/config'
import LongFirst from './scripts/test-order.ts'
import projects from './vitest.workspace.ts'

// Vitest reads projects from here since version 4; the list itself stays in vitest.workspace.ts.
export default defineConfig({ test: { projects, sequence: { sequencer: LongFirst } } })
