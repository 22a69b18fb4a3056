-- Posts the bodies of the file $BODIES in turn, each with its signature.
local bodies, signatures, count = {}, {}, 0
for line in io.lines(os.getenv("BODIES")) do
  count = count + 1
  local tab = line:find("\t")
  signatures[count] = line:sub(1, tab - 1)
  bodies[count] = line:sub(tab + 1)
end
local turn = 0
request = function()
  turn = turn % count + 1
  return wrk.format("POST", "/meta/webhook", {["X-Hub-Signature-256"] = signatures[turn]}, bodies[turn])
end
