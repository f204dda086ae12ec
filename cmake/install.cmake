# What `cmake --install` and the Debian package hold: programs, systemd units, documentation. `fireline_programs` builds
# what is installed; tools/package does all of it.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # tests are no part of it
set(fireline_installed fireline-wg fireline-portal fireline-gateway fireline-client fireline-relay fireline-bench
    fireline-forwarder fireline-xdp-pass)
add_custom_target(fireline_programs DEPENDS ${fireline_installed})
install(TARGETS ${fireline_installed} RUNTIME DESTINATION bin)
install(DIRECTORY docs DESTINATION share/doc/fireline)
install(FILES README.md SECURITY.md DESTINATION share/doc/fireline)
install(FILES LICENSE DESTINATION share/doc/fireline RENAME copyright)
# Units name their program by its path.
file(GLOB fireline_units CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/*/*.service)
set(fireline_unit_script [[
  foreach(unit @fireline_units@)
    get_filename_component(name "${unit}" NAME)
    file(READ "${unit}" text)
    string(REPLACE "/usr/bin/" "${CMAKE_INSTALL_PREFIX}/bin/" text "${text}")
    file(WRITE "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/systemd/system/${name}" "${text}")
  endforeach()
]])
list(TRANSFORM fireline_units REPLACE "(.+)" "\"\\1\"")
list(JOIN fireline_units " " fireline_units)
string(REPLACE "@fireline_units@" "${fireline_units}" fireline_unit_script "${fireline_unit_script}")
install(CODE "${fireline_unit_script}")

# One package: each host enables the unit of what it is to be. None starts by being installed.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME fireline)
set(CPACK_PACKAGE_CONTACT "The fireline authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "zero-trust remote access: gateway, client, relay, portal, userspace WireGuard")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/cmake/debian/postinst ${CMAKE_SOURCE_DIR}/cmake/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "iproute2, wireguard-tools, ca-certificates")
set(CPACK_THREADS 0)
include(CPack)
