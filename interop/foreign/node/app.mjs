// An application behind a gateway, with Express. It answers with the route that it chose, and what it saw. It prints
// its URL, and serves until its standard input ends.
import express from "express";

const app = express();
app.disable("x-powered-by");
const seen = (route) => (request, response) => {
  request.resume();
  request.on("end", () => response.json({ route, path: request.path, headers: request.headers }));
};
app.all("/public/:x", seen("public"));
app.use(seen("other"));
app.use((error, request, response, next) => response.status(400).json({ route: "error" }));
const server = app.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
process.stdin.resume().on("end", () => process.exit(0));
