// An event of client and gateway: no relay is known, or the last one is gone. Connect to the portal anew, whose `init`
// brings some. A value. Threads: any.
#pragma once

namespace fireline::tunnel {

struct RelaysWanted {};

}  // namespace fireline::tunnel
