import { defineConfig } from 'vitest/config'
import projects from './vitest.workspace.ts'

// Vitest reads projects from here since version 4; the list itself stays in vitest.workspace.ts.
export default defineConfig({ test: { projects } })
