import { runCommandLine } from './command-line.js'

// A reader that has seen enough (`… | head`) ends the command, and is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

runCommandLine(process.argv.slice(2), process).then(code => {
  process.exitCode = code
})
